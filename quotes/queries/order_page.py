"""One order with everything its page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount
from ledger.queries.entries import EntryLink, entry_links
from ledger.queries.statements import sees_credit_of
from ledger.states import AccountKind
from quotes.models.orders import Cancellation, Order
from quotes.models.price_lists import PriceList
from quotes.models.quotes import Approval, Revision
from quotes.models.returns import OrderReturn
from quotes.models.shipments import Shipment, ShipmentLine
from quotes.queries.approvals import approver_words
from quotes.queries.order_lines import OrderLineRow, order_lines
from quotes.queries.orders import OrderRow, order_by_ref, order_row, order_rows
from quotes.queries.replacements import ReplacementRow, replacements_of
from quotes.rules.rooms import by_room
from quotes.states import ReturnReason, return_words
from referral.errors import Refusal
from referral.models import User
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.exchange_rates import Exchange, program_currency
from referral.queries.referrals import dealer_of_number


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
class ShipmentRow:
    """A shipment of an order."""

    number: int
    units: int
    shipped_on: date
    carrier: str
    tracking_number: str
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True)
class ReturnRow:
    """A return to an order."""

    number: int
    reason: ReturnReason
    words: str
    products_cents: int
    credit_cents: int
    returned_by: str
    returned_at: datetime
    returned_on: date

    @property
    def because(self) -> str:
        """Why the units came back, in words."""
        return return_words(self.reason, self.words)


@dataclass(frozen=True)
class OrderPage:
    """An order with everything its page shows: what became of it, why it earned, who approved."""

    row: OrderRow
    order: Order
    lines: tuple[OrderLineRow, ...]
    cancellations: tuple[CancellationRow, ...]
    shipments: tuple[ShipmentRow, ...]
    returns: tuple[ReturnRow, ...]
    replacements: tuple[ReplacementRow, ...]
    exchange: Exchange
    """The currency of its products, and the rate at which they became credit."""
    price_list: PriceList
    revision: Revision
    approval: Approval
    approved_by: str
    entered_by: str
    is_mine: bool
    """Whether the viewer may ship, cancel and take back, as the order's own account."""
    is_year_closed: bool
    """Whether the program year of its credit is closed: what is taken back goes into the present one."""
    shows_credit: bool
    postings: tuple[EntryLink, ...]
    """Where its credit is posted and taken back, for those who see it."""

    @property
    def open_units(self) -> int:
        """What can still be shipped or cancelled."""
        return sum(line.open_quantity for line in self.lines)

    @property
    def returnable_units(self) -> int:
        """What can still come back."""
        return sum(line.returnable_quantity for line in self.lines)

    @property
    def taken_back_cents(self) -> int:
        """The credit that cancellations and returns took back."""
        return sum(line.reversed_cents for line in self.lines)

    @property
    def given_up_cents(self) -> int:
        """The list price of what was cancelled and returned."""
        cancelled = sum(each.products_cents for each in self.cancellations)
        return cancelled + sum(each.products_cents for each in self.returns)


def _cancellations(tx: Session, order: Order) -> tuple[CancellationRow, ...]:
    rows = tx.execute(
        sa.select(Cancellation, User.name)
        .join(User, User.id == Cancellation.cancelled_by)
        .where(Cancellation.dealer_id == order.dealer_id, Cancellation.order_id == order.id)
        .order_by(Cancellation.number)
    )
    return tuple(
        CancellationRow(
            number=row.number,
            reason=row.reason,
            products_cents=row.products_cents,
            credit_cents=row.credit_cents,
            cancelled_by=name,
            cancelled_at=row.cancelled_at,
            cancelled_on=row.cancelled_on,
        )
        for row, name in rows
    )


def _shipments(tx: Session, order: Order) -> tuple[ShipmentRow, ...]:
    units: dict[int, int] = {
        number: int(quantity)
        for number, quantity in tx.execute(
            sa.select(ShipmentLine.shipment_number, sa.func.sum(ShipmentLine.quantity))
            .where(ShipmentLine.dealer_id == order.dealer_id, ShipmentLine.order_id == order.id)
            .group_by(ShipmentLine.shipment_number)
        )
    }
    rows = tx.execute(
        sa.select(Shipment, User.name)
        .join(User, User.id == Shipment.recorded_by)
        .where(Shipment.dealer_id == order.dealer_id, Shipment.order_id == order.id)
        .order_by(Shipment.number)
    )
    return tuple(
        ShipmentRow(
            number=row.number,
            units=units[row.number],
            shipped_on=row.shipped_on,
            carrier=row.carrier,
            tracking_number=row.tracking_number,
            recorded_by=name,
            recorded_at=row.recorded_at,
        )
        for row, name in rows
    )


def _returns(tx: Session, order: Order) -> tuple[ReturnRow, ...]:
    rows = tx.execute(
        sa.select(OrderReturn, User.name)
        .join(User, User.id == OrderReturn.returned_by)
        .where(OrderReturn.dealer_id == order.dealer_id, OrderReturn.order_id == order.id)
        .order_by(OrderReturn.number)
    )
    return tuple(
        ReturnRow(
            number=row.number,
            reason=row.reason,
            words=row.words,
            products_cents=row.products_cents,
            credit_cents=row.credit_cents,
            returned_by=name,
            returned_at=row.returned_at,
            returned_on=row.returned_on,
        )
        for row, name in rows
    )


def _exchange(tx: Session, order: Order) -> Exchange:
    """Return how the order's currency became the program's when it was entered."""
    is_own = order.exchange_rate_on is None
    into = order.currency if is_own else program_currency(tx, order.entered_on)
    return Exchange(order.currency, into, order.exchange_rate, order.exchange_rate_on)


def _postings(tx: Session, order: Order, dealer_code: str) -> tuple[EntryLink, ...]:
    """Return the postings of an order, its cancellations and its returns, in the order they were posted."""
    ids = {order.entry_id}
    for table in (Cancellation, OrderReturn):
        ids |= set(
            tx.scalars(
                sa.select(table.entry_id).where(
                    table.dealer_id == order.dealer_id, table.order_id == order.id
                )
            )
        )
    found = entry_links(
        tx, dealer_code=dealer_code, dealer_id=order.dealer_id, entry_ids=[each for each in ids if each]
    )
    return tuple(sorted(found.values(), key=lambda link: (link.program_year, link.sequence)))


def order_page(tx: Session, *, viewer: Viewer, ref: str) -> OrderPage:
    """Return one order. Raises Refusal(not_found), also for another company's."""
    dealer_id, number = dealer_of_number(tx, ref, "O")
    found = tx.execute(order_rows(order_by_ref(viewer, dealer_id, number))).one_or_none()
    if found is None:
        raise Refusal("not_found")
    order: Order = found[0]
    revision = tx.get_one(Revision, (order.dealer_id, order.quote_id, order.revision_number))
    approval = tx.get_one(Approval, (order.dealer_id, order.quote_id, order.revision_number))
    is_account = viewer.acts_as(CompanyKind.ACCOUNT) and order.account_id == viewer.company_id
    head = tx.get(LedgerAccount, (order.dealer_id, order.program_year, AccountKind.SALES_CREDIT))
    return OrderPage(
        row=order_row(*found),
        order=order,
        lines=by_room(order_lines(tx, order), lambda line: line.room),
        cancellations=_cancellations(tx, order),
        shipments=_shipments(tx, order),
        returns=_returns(tx, order),
        replacements=replacements_of(tx, order),
        exchange=_exchange(tx, order),
        price_list=tx.get_one(PriceList, revision.price_list_id),
        revision=revision,
        approval=approval,
        approved_by=approver_words(tx, approval),
        entered_by=tx.get_one(User, order.entered_by).name,
        is_mine=is_account and viewer.may(Permission.ORDER_ENTER),
        is_year_closed=head is not None and head.closed_at is not None,
        shows_credit=sees_credit_of(viewer, found[3].code),
        postings=_postings(tx, order, found[3].code) if sees_credit_of(viewer, found[3].code) else (),
    )
