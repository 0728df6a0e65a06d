"""What of quotes and orders is still open about a program year."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.queries.open_items import OpenItem
from quotes.models.orders import CancellationLine, Order, OrderLine
from quotes.models.quotes import Approval, Revision
from quotes.models.shipments import ShipmentLine
from quotes.queries.work import work_rows
from quotes.states import OrderState, RevisionState
from referral.clock import business_day, start_of_day
from referral.ids import PublicNumber
from referral.models import Company
from referral.queries.settings import time_zone
from referral.text import say_day

_TO_SHIP = (OrderState.ENTERED, OrderState.PART_CANCELLED, OrderState.PART_SHIPPED)


def quote_open_items(tx: Session, *, program_year: int, at: datetime) -> Iterator[OpenItem]:
    """Yield orders of the year that are not wholly shipped, and its approvals that can still be ordered."""
    yield from _orders(tx, program_year)
    yield from _approvals(tx, program_year, at)


def _orders(tx: Session, program_year: int) -> Iterator[OpenItem]:
    """Yield orders of which units could still be cancelled, which takes credit of the year back."""
    units = [
        sa.select(sa.func.coalesce(sa.func.sum(table.quantity), 0))
        .where(table.dealer_id == Order.dealer_id, table.order_id == Order.id)
        .scalar_subquery()
        for table in (OrderLine, CancellationLine, ShipmentLine)
    ]
    left = units[0] - units[1] - units[2]
    rows = tx.execute(
        sa.select(Company.code, Order.number, Order.entered_on, left)
        .join(Company, Company.id == Order.dealer_id)
        .where(Order.program_year == program_year, Order.state.in_(_TO_SHIP))
        .order_by(Company.code, Order.number)
    )
    for code, number, entered_on, open_units in rows:
        ref = str(PublicNumber("O", code, number))
        words = "unit is" if open_units == 1 else "units are"
        yield OpenItem(
            f"{ref} of {say_day(entered_on)}: {int(open_units):,} {words} neither shipped nor cancelled.",
            "quotes.show_order",
            {"ref": ref},
        )


def _approvals(tx: Session, program_year: int, at: datetime) -> Iterator[OpenItem]:
    """Yield revisions approved in the year that are valid and not wholly ordered: an order counts for another year."""
    zone = time_zone(tx)
    day = business_day(at, zone)
    first, after = (start_of_day(date(year, 1, 1), zone) for year in (program_year, program_year + 1))
    approved = sa.exists().where(
        Approval.dealer_id == Revision.dealer_id,
        Approval.quote_id == Revision.quote_id,
        Approval.revision_number == Revision.number,
        Approval.approved_at >= first,
        Approval.approved_at < after,
    )
    conditions = [
        approved,
        Revision.state == RevisionState.APPROVED,
        Revision.expires_on >= day,
    ]
    for row in work_rows(tx, day, conditions):
        if row.remaining_units and row.expires_on is not None:
            yield OpenItem(
                f"{row.ref} revision {row.revision} is approved and can be ordered until {say_day(row.expires_on)};"
                f" an order now counts for {day.year}.",
                "quotes.show_quote",
                {"ref": row.ref, "revision": row.revision},
            )
