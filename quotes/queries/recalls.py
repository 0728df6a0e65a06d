"""Recalled prices: which lines hold one, which revisions are affected, and which dealers are still to be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import CancellationLine, OrderLine
from quotes.models.price_lists import PriceList
from quotes.models.quotes import Revision, RevisionLine
from quotes.models.recalls import PriceRecall, RecallNotice
from quotes.queries.price_lists import price_list_by_version, recalled_reasons
from quotes.rules.content import ContentLine
from quotes.states import RevisionState
from referral.models import User
from referral.queries.settings import today


def recalled_lines(
    tx: Session, price_list_id: UUID | None, lines: Iterable[ContentLine]
) -> Mapping[UUID, str]:
    """Return the lines whose price in this list is recalled, with the reason, by line id."""
    reasons = recalled_reasons(tx, price_list_id)
    return {line.line_id: reasons[line.model_number] for line in lines if line.model_number in reasons}


def owed_notices(day: date) -> sa.Select[UUID, UUID, int, str, UUID]:
    """Select (dealer, quote, revision, model number, recall) of which nobody was told yet.

    Those are revisions that can still be decided on, or are approved with units of the line left to order,
    and whose last day is not over. Ordered and expired ones need nothing: their credit never moves.
    """
    of_line = (
        OrderLine.dealer_id == RevisionLine.dealer_id,
        OrderLine.quote_id == RevisionLine.quote_id,
        OrderLine.line_id == RevisionLine.line_id,
    )
    ordered = sa.select(sa.func.coalesce(sa.func.sum(OrderLine.quantity), 0)).where(*of_line)
    cancelled = (
        sa.select(sa.func.coalesce(sa.func.sum(CancellationLine.quantity), 0))
        .join(
            OrderLine,
            sa.and_(
                OrderLine.dealer_id == CancellationLine.dealer_id,
                OrderLine.order_id == CancellationLine.order_id,
                OrderLine.line_id == CancellationLine.line_id,
            ),
        )
        .where(*of_line)
    )
    left = (
        RevisionLine.quantity
        - ordered.correlate(RevisionLine).scalar_subquery()
        + cancelled.correlate(RevisionLine).scalar_subquery()
    )
    told = (
        sa.select(RecallNotice.recall_id)
        .where(
            RecallNotice.dealer_id == Revision.dealer_id,
            RecallNotice.quote_id == Revision.quote_id,
            RecallNotice.revision_number == Revision.number,
            RecallNotice.recall_id == PriceRecall.id,
        )
        .exists()
    )
    return (
        sa.select(
            Revision.dealer_id, Revision.quote_id, Revision.number, PriceRecall.model_number, PriceRecall.id
        )
        .distinct()
        .join(PriceRecall, PriceRecall.price_list_id == Revision.price_list_id)
        .join(
            RevisionLine,
            sa.and_(
                RevisionLine.dealer_id == Revision.dealer_id,
                RevisionLine.quote_id == Revision.quote_id,
                RevisionLine.revision_number == Revision.number,
                RevisionLine.model_number == PriceRecall.model_number,
            ),
        )
        .where(
            Revision.expires_on >= day,
            sa.or_(
                Revision.state == RevisionState.SUBMITTED,
                sa.and_(Revision.state == RevisionState.APPROVED, left > 0),
            ),
            ~told,
        )
        .order_by(
            Revision.dealer_id, Revision.quote_id, Revision.number, PriceRecall.model_number, PriceRecall.id
        )
    )


def dealers_to_tell(tx: Session, *, at: datetime, limit: int | None = None) -> tuple[UUID, ...]:
    """Return the dealers with a live revision at a recalled price of which both sides were not told yet."""
    owed = owed_notices(today(tx, at)).order_by(None).subquery()
    dealer = owed.c.dealer_id
    return tuple(tx.scalars(sa.select(dealer).distinct().order_by(dealer).limit(limit)))


@dataclass(frozen=True)
class RecallRow:
    """A recalled price, why, by whom and when."""

    model_number: str
    reason: str
    who: str
    recalled_at: datetime


@dataclass(frozen=True)
class RecallsOfList:
    """What is recalled of a price list, and how many of the dealers it touches were told."""

    price_list: PriceList
    rows: tuple[RecallRow, ...]
    told: int
    to_tell: int


def recalls_of_list(tx: Session, *, at: datetime, version: int) -> RecallsOfList:
    """Return the recalls of a version, newest first. Raises Refusal(not_found)."""
    price_list = price_list_by_version(tx, version)
    found = tx.execute(
        sa.select(PriceRecall, User.name)
        .join(User, User.id == PriceRecall.recalled_by)
        .where(PriceRecall.price_list_id == price_list.id)
        .order_by(PriceRecall.recalled_at.desc(), PriceRecall.model_number)
    ).all()
    rows = tuple(RecallRow(row.model_number, row.reason, name, row.recalled_at) for row, name in found)
    if not rows:
        return RecallsOfList(price_list, (), 0, 0)
    ids = [row.id for row, _ in found]
    told = set(
        tx.scalars(sa.select(RecallNotice.dealer_id).where(RecallNotice.recall_id.in_(ids)).distinct())
    )
    owed = owed_notices(today(tx, at)).where(PriceRecall.price_list_id == price_list.id).order_by(None)
    waiting = set(tx.scalars(sa.select(owed.subquery().c.dealer_id).distinct()))
    return RecallsOfList(price_list, rows, len(told - waiting), len(waiting))
