"""Orders as each side sees them, with the arithmetic of their credit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ledger.queries.statements import dealers_seen_by, sees_credit_of
from ledger.rules import digest_of, line_credit_cents, reversal_cents
from quotes.models import (
    Approval,
    Cancellation,
    CancellationLine,
    Order,
    OrderLine,
    PriceList,
    Quote,
    Revision,
    RevisionLine,
)
from quotes.states import OrderState
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral, User
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.records import PAGE_ROWS, page_key
from referral.queries.referrals import dealer_of_number


def orders_seen_by(viewer: Viewer) -> sa.Select[Order]:
    """Return the orders the viewer may see: as dealer, as account, or all for the program."""
    statement = sa.select(Order)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    sides: list[sa.ColumnElement[bool]] = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(Order.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(Order.account_id == viewer.company_id)
    return statement.where(sa.or_(sa.false(), *sides))


def order_by_ref(viewer: Viewer, dealer_id: UUID, number: int) -> sa.Select[Order]:
    """Return the statement for one visible order, for reads and locks alike."""
    return orders_seen_by(viewer).where(Order.dealer_id == dealer_id, Order.number == number)


@dataclass(frozen=True)
class OrderRow:
    """An order in a list. Credit fields are None for viewers who do not see the dealer's credit."""

    ref: str
    quote_ref: str
    revision: int
    idempotency_key: str
    state: OrderState
    project_name: str
    dealer_code: str
    dealer_name: str
    account_name: str
    purchase_order: str
    products_cents: int
    credit_cents: int
    entered_at: datetime
    entered_on: date
    program_year: int
    key: str


@dataclass(frozen=True)
class OrdersPage:
    """A page of orders, newest first; `after` continues the list."""

    rows: tuple[OrderRow, ...]
    after: str | None


def _order_rows(statement: sa.Select[Order]) -> sa.Select[Order, Quote, Referral, Company, Company]:
    dealer, account = aliased(Company), aliased(Company)
    return (
        statement.join(Quote, sa.and_(Quote.dealer_id == Order.dealer_id, Quote.id == Order.quote_id))
        .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
        .join(dealer, dealer.id == Order.dealer_id)
        .join(account, account.id == Order.account_id)
        .add_columns(Quote, Referral, dealer, account)
    )


def _order_row(order: Order, quote: Quote, referral: Referral, dealer: Company, account: Company) -> OrderRow:
    return OrderRow(
        ref=str(PublicNumber("O", dealer.code, order.number)),
        quote_ref=str(PublicNumber("Q", dealer.code, quote.number)),
        revision=order.revision_number,
        idempotency_key=order.idempotency_key,
        state=order.state,
        project_name=referral.project_name,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        account_name=account.name,
        purchase_order=order.purchase_order,
        products_cents=order.products_cents,
        credit_cents=order.credit_cents,
        entered_at=order.entered_at,
        entered_on=order.entered_on,
        program_year=order.program_year,
        key=str(order.id),
    )


def orders_page(
    tx: Session,
    *,
    viewer: Viewer,
    quote_ref: str = "",
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> OrdersPage:
    """Return orders the viewer may see, newest first; of one quote where `quote_ref` is given."""
    statement = _order_rows(orders_seen_by(viewer)).order_by(Order.id.desc()).limit(limit + 1)
    if quote_ref:
        dealer_id, number = dealer_of_number(tx, quote_ref, "Q")
        statement = statement.where(Quote.dealer_id == dealer_id, Quote.number == number)
    if after is not None:
        statement = statement.where(Order.id < page_key(after))
    found = tx.execute(statement).all()
    rows = tuple(_order_row(*row) for row in found[:limit])
    return OrdersPage(rows=rows, after=rows[-1].key if len(found) > limit else None)


def year_orders(
    tx: Session, *, viewer: Viewer, program_year: int, dealer_code: str = ""
) -> Iterator[OrderRow]:
    """Yield the orders of a program year for the export: by dealer and number, streamed."""
    dealers = dealers_seen_by(viewer)
    if dealer_code:
        dealers = dealers.where(Company.code == dealer_code)
    visible = dealers.subquery()
    statement = (
        _order_rows(sa.select(Order).join(visible, visible.c.id == Order.dealer_id))
        .where(Order.program_year == program_year)
        .order_by(visible.c.code, Order.number)
        .execution_options(yield_per=500)
    )
    for row in tx.execute(statement):
        yield _order_row(*row)


# one order --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OrderLineRow:
    """An ordered line with what is left of it and the credit it earned, in its parts."""

    line_id: UUID
    model_number: str
    description: str
    room: str
    quantity: int
    cancelled_quantity: int
    list_price_cents: int
    amount_cents: int
    is_creditable: bool
    credit_cents: int
    reversed_cents: int

    @property
    def open_quantity(self) -> int:
        """What is ordered and not cancelled."""
        return self.quantity - self.cancelled_quantity

    def taken_back_cents(self, quantity: int, credit_rate: int) -> int:
        """Return the credit that cancelling these units takes back, so that the last one ends at 0."""
        if not self.is_creditable:
            return 0
        return reversal_cents(
            self.list_price_cents,
            self.open_quantity - quantity,
            credit_rate,
            self.credit_cents - self.reversed_cents,
        )


@dataclass(frozen=True)
class CancellationRow:
    """A cancellation of an order."""

    number: int
    reason: str
    products_cents: int
    credit_cents: int
    cancelled_by: str
    cancelled_at: datetime
    cancelled_on: date


@dataclass(frozen=True)
class OrderPage:
    """An order with everything its page shows: what, why it earned, who approved."""

    row: OrderRow
    order: Order
    lines: tuple[OrderLineRow, ...]
    cancellations: tuple[CancellationRow, ...]
    price_list: PriceList
    revision: Revision
    approval: Approval
    approved_by: str
    entered_by: str
    is_mine_to_cancel: bool
    shows_credit: bool


def order_lines(tx: Session, order: Order) -> tuple[OrderLineRow, ...]:
    """Return an order's lines in the revision's order, with what is cancelled of each."""
    cancelled: dict[UUID, tuple[int, int]] = {
        line_id: (int(quantity), int(credit))
        for line_id, quantity, credit in tx.execute(
            sa.select(
                CancellationLine.line_id,
                sa.func.sum(CancellationLine.quantity),
                sa.func.sum(CancellationLine.credit_cents),
            )
            .where(CancellationLine.dealer_id == order.dealer_id, CancellationLine.order_id == order.id)
            .group_by(CancellationLine.line_id)
        )
    }
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
    return tuple(
        OrderLineRow(
            line_id=line.line_id,
            model_number=quoted.model_number,
            description=quoted.description,
            room=quoted.room,
            quantity=line.quantity,
            cancelled_quantity=cancelled.get(line.line_id, (0, 0))[0],
            list_price_cents=line.list_price_cents,
            amount_cents=line.amount_cents,
            is_creditable=line.is_creditable,
            credit_cents=line.credit_cents,
            reversed_cents=cancelled.get(line.line_id, (0, 0))[1],
        )
        for line, quoted in rows
    )


def order_page(tx: Session, *, viewer: Viewer, ref: str) -> OrderPage:
    """Return one order. Raises Refusal(not_found), also for another company's."""
    dealer_id, number = dealer_of_number(tx, ref, "O")
    found = tx.execute(_order_rows(order_by_ref(viewer, dealer_id, number))).one_or_none()
    if found is None:
        raise Refusal("not_found")
    order: Order = found[0]
    revision = tx.get_one(Revision, (order.dealer_id, order.quote_id, order.revision_number))
    approval = tx.get_one(Approval, (order.dealer_id, order.quote_id, order.revision_number))
    cancellations = tx.execute(
        sa.select(Cancellation, User.name)
        .join(User, User.id == Cancellation.cancelled_by)
        .where(Cancellation.dealer_id == order.dealer_id, Cancellation.order_id == order.id)
        .order_by(Cancellation.number)
    )
    is_account = viewer.acts_as(CompanyKind.ACCOUNT) and order.account_id == viewer.company_id
    return OrderPage(
        row=_order_row(*found),
        order=order,
        lines=order_lines(tx, order),
        cancellations=tuple(
            CancellationRow(
                number=row.number,
                reason=row.reason,
                products_cents=row.products_cents,
                credit_cents=row.credit_cents,
                cancelled_by=name,
                cancelled_at=row.cancelled_at,
                cancelled_on=row.cancelled_on,
            )
            for row, name in cancellations
        ),
        price_list=tx.get_one(PriceList, revision.price_list_id),
        revision=revision,
        approval=approval,
        approved_by=tx.get_one(User, approval.approved_by).name,
        entered_by=tx.get_one(User, order.entered_by).name,
        is_mine_to_cancel=is_account
        and order.state is not OrderState.CANCELLED
        and viewer.may(Permission.ORDER_ENTER),
        shows_credit=sees_credit_of(viewer, found[3].code),
    )


# what an order says, and its verification -------------------------------------------------------


def order_digest(order: Order, lines: list[OrderLine], approval: Approval) -> str:
    """Return the digest over every column of an order, its lines and the approval it stands on."""
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
        order.account_number,
        order.currency,
        order.program_year,
        order.credit_rate,
        order.products_cents,
        order.credit_cents,
        order.entered_by,
        order.entered_at,
        order.entered_on,
        approval_digest(approval),
        *line_digests,
    )


def approval_digest(approval: Approval) -> str:
    """Return the digest over every column of an approval."""
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


def credit_of(line: OrderLine, credit_rate: int) -> int:
    """Return the credit a line must have earned, in cents."""
    return line_credit_cents(line.list_price_cents, line.quantity, credit_rate) if line.is_creditable else 0
