"""Why an order's posting, or one that takes its credit back, is what it is: each line with its arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerEntry
from ledger.models.evidence import Evidence
from ledger.queries.entries import ExplainedLine, Explanation
from ledger.rules.credit import exact_credit, line_credit_cents
from ledger.states import EntryKind, EvidenceKind
from quotes.models.orders import Cancellation, CancellationLine, Order, OrderLine
from quotes.models.price_lists import PriceList
from quotes.models.quotes import Approval, Quote, Revision, RevisionLine
from quotes.models.returns import OrderReturn, OrderReturnLine
from quotes.queries.approvals import approver_words
from quotes.queries.orders import order_by_ref
from quotes.states import return_words
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, User
from referral.money import EXCHANGE_ONE, format_cents, format_exchange_rate, format_rate
from referral.permissions import Viewer
from referral.queries.referrals import dealer_of_number

TakenBack: TypeAlias = Cancellation | OrderReturn
_KINDS = {EntryKind.ORDER, EntryKind.CANCELLATION, EntryKind.RETURN}


def explain_entry(tx: Session, *, viewer: Viewer, dealer_id: UUID, entry_id: UUID) -> Explanation | None:
    """Return what stands behind the posting of an order, a cancellation or a return; None for any other."""
    entry = tx.get(LedgerEntry, (dealer_id, entry_id))
    if entry is None or entry.kind not in _KINDS:
        return None
    order = _order_of(tx, viewer, entry)
    if order is None:
        return None
    if entry.kind is EntryKind.ORDER:
        lines = tuple(_earned(order, row, quoted) for row, quoted in _lines(tx, order) if row.is_creditable)
        words = f"Order {entry.source}"
        return _explanation(tx, order, words, lines, order.entered_by, order.entered_at, "")
    events = _taken_back(tx, order, entry.source)
    place = next((at for at, event in enumerate(events) if event.row.entry_id == entry_id), None)
    if place is None:
        return None
    return _explain_taken_back(tx, order, entry.source, events[: place + 1])


def _order_of(tx: Session, viewer: Viewer, entry: LedgerEntry) -> Order | None:
    try:
        dealer_id, number = dealer_of_number(tx, entry.source, "O")
    except Refusal:
        return None
    return tx.scalars(order_by_ref(viewer, dealer_id, number)).one_or_none()


def _lines(tx: Session, order: Order) -> list[tuple[OrderLine, RevisionLine]]:
    rows = tx.execute(
        sa.select(OrderLine, RevisionLine)
        .join(
            RevisionLine,
            sa.and_(
                RevisionLine.dealer_id == OrderLine.dealer_id,
                RevisionLine.quote_id == OrderLine.quote_id,
                RevisionLine.revision_number == OrderLine.revision_number,
                RevisionLine.line_id == OrderLine.line_id,
            ),
        )
        .where(OrderLine.dealer_id == order.dealer_id, OrderLine.order_id == order.id)
        .order_by(RevisionLine.position, RevisionLine.line_id)
    )
    return [(line, quoted) for line, quoted in rows]


# what is common ---------------------------------------------------------------------------------


def _explanation(
    tx: Session,
    order: Order,
    what: str,
    lines: tuple[ExplainedLine, ...],
    entered_by: UUID,
    entered_at: datetime,
    reason: str,
) -> Explanation:
    key = (order.dealer_id, order.quote_id, order.revision_number)
    approval = tx.get_one(Approval, key)
    price_list = tx.get_one(PriceList, tx.get_one(Revision, key).price_list_id)
    quote = tx.get_one(Quote, (order.dealer_id, order.quote_id))
    code = tx.get_one(Company, order.dealer_id).code
    return Explanation(
        what=what,
        lines=lines,
        currency=order.currency,
        order_ref=str(PublicNumber("O", code, order.number)),
        quote_ref=str(PublicNumber("Q", code, quote.number)),
        revision=order.revision_number,
        price_list_version=price_list.version,
        price_list_valid_from=price_list.valid_from,
        credit_rate=order.credit_rate,
        exchange_rate=_foreign_rate(order),
        exchange_rate_on=order.exchange_rate_on,
        approved_by=approver_words(tx, approval),
        approved_at=approval.approved_at,
        approval_digest=approval.digest,
        entered_by=tx.get_one(User, entered_by).name,
        entered_at=entered_at,
        reason=reason,
    )


def _foreign_rate(order: Order) -> int | None:
    """Return the exchange rate; None for an order in the program's own currency."""
    return None if order.exchange_rate_on is None else order.exchange_rate


def _product(order: Order, quantity: int, list_price_cents: int) -> str:
    """Write a line's product with its outcome: 10 × 412.50 × 1.0000 = 4,125.00."""
    factors = [f"{quantity:,}", format_cents(list_price_cents), format_rate(order.credit_rate)]
    if order.exchange_rate_on is not None:
        factors.append(format_exchange_rate(order.exchange_rate))
    return f"{' × '.join(factors)} = {_exact(order, quantity, list_price_cents)}"


def _exact(order: Order, quantity: int, list_price_cents: int) -> str:
    return exact_credit(list_price_cents, quantity, order.credit_rate, _rate(order))


def _rate(order: Order) -> int:
    return EXCHANGE_ONE if order.exchange_rate_on is None else order.exchange_rate


# an order ---------------------------------------------------------------------------------------


def _earned(order: Order, line: OrderLine, quoted: RevisionLine) -> ExplainedLine:
    exact = _exact(order, line.quantity, line.list_price_cents)
    rounded = format_cents(line.credit_cents)
    return ExplainedLine(
        model_number=quoted.model_number,
        description=quoted.description,
        quantity=line.quantity,
        list_price_cents=line.list_price_cents,
        credit_rate=order.credit_rate,
        exchange_rate=_foreign_rate(order),
        exact=exact,
        credit_cents=line.credit_cents,
        formula=_product(order, line.quantity, line.list_price_cents)
        + ("" if exact == rounded else f", rounded half up to {rounded}"),
    )


# what takes credit back -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Event:
    """A cancellation or a return of an order: of which line how many units and how much credit."""

    row: TakenBack
    lines: Mapping[UUID, tuple[int, int]]


def _taken_back(tx: Session, order: Order, ref: str) -> list[_Event]:
    """Return the order's cancellations and returns in the order in which they happened."""
    sequences = {
        (kind, subject): sequence
        for kind, subject, sequence in tx.execute(
            sa.select(Evidence.kind, Evidence.subject, Evidence.sequence).where(
                Evidence.dealer_id == order.dealer_id,
                Evidence.kind.in_([EvidenceKind.CANCELLATION, EvidenceKind.RETURN]),
                Evidence.subject.startswith(f"{ref}.", autoescape=True),
            )
        )
    }
    found: list[tuple[int, _Event]] = []
    of_order = (Cancellation.dealer_id == order.dealer_id, Cancellation.order_id == order.id)
    cancelled = _by_number(
        tx.execute(
            sa.select(
                CancellationLine.cancellation_number,
                CancellationLine.line_id,
                CancellationLine.quantity,
                CancellationLine.credit_cents,
            ).where(CancellationLine.dealer_id == order.dealer_id, CancellationLine.order_id == order.id)
        )
    )
    for row in tx.scalars(sa.select(Cancellation).where(*of_order)):
        place = sequences.get((EvidenceKind.CANCELLATION, f"{ref}.{row.number}"), 0)
        found.append((place, _Event(row, cancelled.get(row.number, {}))))
    returned = _by_number(
        tx.execute(
            sa.select(
                OrderReturnLine.return_number,
                OrderReturnLine.line_id,
                OrderReturnLine.quantity,
                OrderReturnLine.credit_cents,
            ).where(OrderReturnLine.dealer_id == order.dealer_id, OrderReturnLine.order_id == order.id)
        )
    )
    came_back = sa.select(OrderReturn).where(
        OrderReturn.dealer_id == order.dealer_id, OrderReturn.order_id == order.id
    )
    for each in tx.scalars(came_back):
        place = sequences.get((EvidenceKind.RETURN, f"{ref}.{each.number}"), 0)
        found.append((place, _Event(each, returned.get(each.number, {}))))
    return [event for _, event in sorted(found, key=lambda pair: pair[0])]


def _by_number(
    rows: Iterable[Any],
) -> dict[int, dict[UUID, tuple[int, int]]]:
    lines: dict[int, dict[UUID, tuple[int, int]]] = {}
    for number, line_id, quantity, credit_cents in rows:
        lines.setdefault(number, {})[line_id] = (quantity, credit_cents)
    return lines


def _explain_taken_back(tx: Session, order: Order, ref: str, events: list[_Event]) -> Explanation:
    """Explain the last of these events; the ones before it say what was still posted for each line."""
    row = events[-1].row
    lines = tuple(
        _taken(order, line, quoted, [event.lines.get(line.line_id, (0, 0)) for event in events])
        for line, quoted in _lines(tx, order)
        if line.is_creditable and line.line_id in events[-1].lines
    )
    if isinstance(row, Cancellation):
        words = f"Cancellation {row.number} of {ref}"
        return _explanation(tx, order, words, lines, row.cancelled_by, row.cancelled_at, row.reason)
    words, reason = f"Return {row.number} of {ref}", return_words(row.reason, row.words)
    return _explanation(tx, order, words, lines, row.returned_by, row.returned_at, reason)


def _taken(
    order: Order, line: OrderLine, quoted: RevisionLine, taken: list[tuple[int, int]]
) -> ExplainedLine:
    """Return a line's part of a reversal: what was posted so far, less the credit of what is kept."""
    quantity, taken_cents = taken[-1]
    so_far = line.credit_cents - sum(cents for _, cents in taken[:-1])
    kept = line.quantity - sum(units for units, _ in taken)
    kept_cents = line_credit_cents(line.list_price_cents, kept, order.credit_rate, _rate(order))
    exact = _exact(order, kept, line.list_price_cents)
    rounded = "" if exact == format_cents(kept_cents) else f", rounded half up to {format_cents(kept_cents)}"
    of_kept = (
        f"the credit of the {kept:,} kept ({_product(order, kept, line.list_price_cents)}{rounded})"
        if kept
        else "0.00, for none is kept"
    )
    return ExplainedLine(
        model_number=quoted.model_number,
        description=quoted.description,
        quantity=quantity,
        list_price_cents=line.list_price_cents,
        credit_rate=order.credit_rate,
        exchange_rate=_foreign_rate(order),
        exact=exact,
        credit_cents=-taken_cents,
        formula=f"{format_cents(so_far)} posted so far − {of_kept} = {format_cents(taken_cents)} taken back",
    )
