"""What a revision says: its lines and services, its digests, and what is ordered of its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import CancellationLine, OrderLine
from quotes.models.price_lists import PriceList
from quotes.models.quotes import Quote, Revision, RevisionLine, RevisionService
from quotes.rules.content import ContentHead, ContentLine, ContentService, Digests, content_digests
from quotes.states import ServicesState
from referral.ids import PublicNumber
from referral.models import Company, Referral

_COLUMNS = tuple(getattr(RevisionLine, field.name) for field in fields(ContentLine))
"""Columns, not entities: a quote has up to 2,000 lines, and mapping each would cost more than reading it."""


def content_lines(tx: Session, quote: Quote, revision_number: int) -> tuple[ContentLine, ...]:
    """Return a revision's product lines in order."""
    rows = tx.execute(
        sa.select(*_COLUMNS)
        .where(
            RevisionLine.dealer_id == quote.dealer_id,
            RevisionLine.quote_id == quote.id,
            RevisionLine.revision_number == revision_number,
        )
        .order_by(RevisionLine.position, RevisionLine.line_id)
    )
    return tuple(ContentLine(*row) for row in rows)


def content_services(tx: Session, quote: Quote, revision_number: int) -> tuple[ContentService, ...]:
    """Return a revision's service lines in order."""
    rows = tx.scalars(
        sa.select(RevisionService)
        .where(
            RevisionService.dealer_id == quote.dealer_id,
            RevisionService.quote_id == quote.id,
            RevisionService.revision_number == revision_number,
        )
        .order_by(RevisionService.position)
    )
    return tuple(ContentService(row.kind, row.description, row.amount_cents) for row in rows)


def ordered_quantities(tx: Session, quote: Quote) -> dict[UUID, int]:
    """Return what is ordered and not cancelled of each line, over all revisions of the quote."""
    ordered = {
        line_id: int(quantity)
        for line_id, quantity in tx.execute(
            sa.select(OrderLine.line_id, sa.func.sum(OrderLine.quantity))
            .where(OrderLine.dealer_id == quote.dealer_id, OrderLine.quote_id == quote.id)
            .group_by(OrderLine.line_id)
        )
    }
    cancelled = tx.execute(
        sa.select(CancellationLine.line_id, sa.func.sum(CancellationLine.quantity))
        .join(
            OrderLine,
            sa.and_(
                OrderLine.dealer_id == CancellationLine.dealer_id,
                OrderLine.order_id == CancellationLine.order_id,
                OrderLine.line_id == CancellationLine.line_id,
            ),
        )
        .where(OrderLine.dealer_id == quote.dealer_id, OrderLine.quote_id == quote.id)
        .group_by(CancellationLine.line_id)
    )
    for line_id, quantity in cancelled:
        ordered[line_id] -= int(quantity)
    return ordered


def ordered_lines(tx: Session, quote: Quote) -> tuple[ContentLine, ...]:
    """Return every line of which something was ordered, as the newest revision that was ordered from says it."""
    newest = (
        sa.select(OrderLine.line_id, sa.func.max(OrderLine.revision_number).label("number"))
        .where(OrderLine.dealer_id == quote.dealer_id, OrderLine.quote_id == quote.id)
        .group_by(OrderLine.line_id)
        .subquery()
    )
    rows = tx.execute(
        sa.select(*_COLUMNS)
        .join(
            newest,
            sa.and_(
                newest.c.line_id == RevisionLine.line_id, newest.c.number == RevisionLine.revision_number
            ),
        )
        .where(RevisionLine.dealer_id == quote.dealer_id, RevisionLine.quote_id == quote.id)
        .order_by(RevisionLine.position, RevisionLine.line_id)
    )
    return tuple(ContentLine(*row) for row in rows)


def quote_ref(tx: Session, quote: Quote) -> str:
    """Return the quote's public number."""
    return str(PublicNumber("Q", tx.get_one(Company, quote.dealer_id).code, quote.number))


def revision_digests(
    tx: Session, quote: Quote, revision: Revision, price_list: PriceList, lines: Sequence[ContentLine]
) -> Digests:
    """Return the digests of what a revision says."""
    referral = tx.get_one(Referral, (quote.dealer_id, quote.referral_id))
    dealer = tx.get_one(Company, quote.dealer_id)
    head = ContentHead(
        dealer=dealer.code,
        account=tx.get_one(Company, quote.account_id).code,
        referral=str(PublicNumber("R", dealer.code, referral.number)),
        quote=quote_ref(tx, quote),
        revision=revision.number,
        account_number=revision.account_number,
        price_list=f"{price_list.version} {price_list.source_sha256}",
        currency=price_list.currency,
        note=revision.note,
    )
    return content_digests(
        head,
        lines,
        content_services(tx, quote, revision.number),
        has_services=revision.services_state is not ServicesState.NONE,
    )
