"""What orders, approvals and all that happened to an order say, as digests over every column."""

from __future__ import annotations

from ledger.rules.digests import Field, digest_of
from quotes.models.orders import Cancellation, CancellationLine, Order, OrderLine
from quotes.models.quotes import Approval
from quotes.models.replacements import Replacement, ReplacementLine
from quotes.models.returns import OrderReturn, OrderReturnLine
from quotes.models.shipments import Shipment, ShipmentLine

ORDER_DIGEST_VERSION = 3
"""The recipe of new orders. The first knew no exchange rate, the second no wanted day."""


def order_digest(order: Order, lines: list[OrderLine], approval: Approval) -> str:
    """Return the digest over every column of an order, its lines and the approval it stands on.

    By the recipe of its `digest_version`, so that an order of an earlier one still recomputes.
    """
    line_digests = [
        digest_of(
            line.line_id,
            line.quote_id,
            line.revision_number,
            line.quantity,
            line.list_price_cents,
            line.amount_cents,
            line.is_creditable,
            line.credit_cents,
        )
        for line in sorted(lines, key=lambda line: line.line_id.hex)
    ]
    exchange: tuple[Field, ...] = ()
    if order.digest_version > 1:
        exchange = (order.digest_version, order.exchange_rate, order.exchange_rate_on)
    # An order of an earlier recipe has no wanted day: one that was put there does not recompute.
    knows_wanted = order.digest_version > 2 or order.wanted_on is not None
    wanted: tuple[Field, ...] = (order.wanted_on,) if knows_wanted else ()
    return digest_of(
        "order",
        order.dealer_id,
        order.id,
        order.number,
        order.account_id,
        order.quote_id,
        order.revision_number,
        order.idempotency_key,
        order.request_digest,
        order.purchase_order,
        *wanted,
        order.account_number,
        order.currency,
        order.program_year,
        order.credit_rate,
        *exchange,
        order.products_cents,
        order.credit_cents,
        order.entered_by,
        order.entered_at,
        order.entered_on,
        approval_digest(approval),
        *line_digests,
    )


def approval_digest(approval: Approval) -> str:
    """Return the digest over every column of an approval; of one without a delegate as it always was."""
    lender: tuple[Field, ...] = () if approval.on_behalf_of is None else (approval.on_behalf_of,)
    return digest_of(
        "approval",
        approval.dealer_id,
        approval.quote_id,
        approval.revision_number,
        approval.digest,
        approval.attestation_version,
        approval.attestation_text,
        approval.attested_suitable,
        approval.attested_reviewed,
        approval.attested_complete,
        approval.attested_account_number,
        approval.typed_account_number,
        approval.typed_name,
        approval.approved_by,
        *lender,
        approval.approved_at,
        approval.address,
        approval.browser,
        approval.login,
    )


def cancellation_digest(cancellation: Cancellation, lines: list[CancellationLine]) -> str:
    """Return the digest over every column of a cancellation and its lines."""
    line_digests = [
        digest_of(line.line_id, line.quantity, line.credit_cents)
        for line in sorted(lines, key=lambda line: line.line_id.hex)
    ]
    return digest_of(
        "cancellation",
        cancellation.dealer_id,
        cancellation.order_id,
        cancellation.number,
        cancellation.idempotency_key,
        cancellation.request_digest,
        cancellation.reason,
        cancellation.products_cents,
        cancellation.credit_cents,
        cancellation.cancelled_by,
        cancellation.cancelled_at,
        cancellation.cancelled_on,
        *line_digests,
    )


def shipment_digest(shipment: Shipment, lines: list[ShipmentLine]) -> str:
    """Return the digest over every column of a shipment and its lines."""
    line_digests = [
        digest_of(line.line_id, line.quantity) for line in sorted(lines, key=lambda line: line.line_id.hex)
    ]
    return digest_of(
        "shipment",
        shipment.dealer_id,
        shipment.order_id,
        shipment.number,
        shipment.idempotency_key,
        shipment.request_digest,
        shipment.shipped_on,
        shipment.carrier,
        shipment.tracking_number,
        shipment.recorded_by,
        shipment.recorded_at,
        *line_digests,
    )


def return_digest(returned: OrderReturn, lines: list[OrderReturnLine]) -> str:
    """Return the digest over every column of a return and its lines."""
    line_digests = [
        digest_of(line.line_id, line.quantity, line.credit_cents)
        for line in sorted(lines, key=lambda line: line.line_id.hex)
    ]
    return digest_of(
        "return",
        returned.dealer_id,
        returned.order_id,
        returned.number,
        returned.idempotency_key,
        returned.request_digest,
        returned.reason,
        returned.words,
        returned.products_cents,
        returned.credit_cents,
        returned.returned_by,
        returned.returned_at,
        returned.returned_on,
        *line_digests,
    )


def replacement_digest(replacement: Replacement, lines: list[ReplacementLine]) -> str:
    """Return the digest over every column of a warranty replacement and its lines."""
    line_digests = [
        digest_of(line.line_id, line.quantity) for line in sorted(lines, key=lambda line: line.line_id.hex)
    ]
    return digest_of(
        "replacement",
        replacement.dealer_id,
        replacement.order_id,
        replacement.number,
        replacement.idempotency_key,
        replacement.request_digest,
        replacement.reason,
        replacement.failed_on,
        replacement.ordered_by,
        replacement.ordered_at,
        replacement.ordered_on,
        *line_digests,
    )
