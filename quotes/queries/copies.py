"""Which quotes an account can copy lines from, and what of them is on today's list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Quote, Revision, RevisionLine
from quotes.queries.content import content_lines
from quotes.queries.drafts import DraftPage, draft_page, pricing_of
from quotes.queries.quotes import quote_by_ref, quotes_seen_by
from quotes.rules.content import ContentLine
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import Viewer
from referral.queries.referrals import dealer_of_number
from referral.text import fold

SOURCES = 20
"""Quotes that are offered."""


@dataclass(frozen=True)
class Source:
    """A quote of the account that lines can be copied from."""

    ref: str
    project_name: str
    dealer_name: str
    revision: int
    """Its newest one."""
    line_count: int
    """Of its newest revision."""


@dataclass(frozen=True)
class SourceLine:
    """A line to copy, at today's price; `price_cents` is None where the list has it no more."""

    line: ContentLine
    price_cents: int | None


@dataclass(frozen=True)
class Chosen:
    """The quote and revision that was chosen."""

    ref: str
    project_name: str
    revision: int
    revisions: tuple[int, ...]
    lines: tuple[SourceLine, ...]

    @property
    def gone(self) -> tuple[str, ...]:
        """Model numbers that are not on today's list, each once."""
        return tuple(dict.fromkeys(row.line.model_number for row in self.lines if row.price_cents is None))

    @property
    def good(self) -> int:
        """How many lines can be copied."""
        return sum(1 for row in self.lines if row.price_cents is not None)


@dataclass(frozen=True)
class CopyPage:
    """What the page for copying shows: the draft, the quotes that fit the words, the chosen one."""

    draft: DraftPage
    sources: tuple[Source, ...]
    chosen: Chosen | None


def own_revision(tx: Session, viewer: Viewer, ref: str, number: int | None) -> tuple[Quote, int]:
    """Return a quote of the viewer's own account and a revision of it, by default the newest.

    Raises Refusal(not_found).
    """
    dealer_id, quote_number = dealer_of_number(tx, ref, "Q")
    quote = tx.scalars(
        quote_by_ref(viewer, dealer_id, quote_number).where(Quote.account_id == viewer.company_id)
    ).one_or_none()
    if quote is None:
        raise Refusal("not_found")
    wanted = quote.latest_revision if number is None else number
    if tx.get(Revision, (quote.dealer_id, quote.id, wanted)) is None:
        raise Refusal("not_found")
    return quote, wanted


def copy_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    ref: str,
    words: str = "",
    source: str = "",
    revision_number: int | None = None,
) -> CopyPage:
    """Return the account's newest quotes with lines whose number or project has all words, and the chosen one.

    Raises Refusal(not_found) for a quote of another account, (forbidden), (revision_immutable) without draft,
    (referral_closed).
    """
    draft = draft_page(tx, viewer=viewer, at=at, ref=ref)
    if draft.refused:
        raise Refusal(draft.refused)
    return CopyPage(
        draft=draft,
        sources=_sources(tx, viewer, words),
        chosen=_chosen(tx, viewer, at, draft, source, revision_number) if source else None,
    )


def _sources(tx: Session, viewer: Viewer, words: str) -> tuple[Source, ...]:
    count = (
        sa.select(sa.func.count())
        .where(
            RevisionLine.dealer_id == Quote.dealer_id,
            RevisionLine.quote_id == Quote.id,
            RevisionLine.revision_number == Quote.latest_revision,
        )
        .correlate(Quote)
        .scalar_subquery()
    )
    public = sa.literal("q-") + sa.func.lower(Company.code) + "-" + sa.cast(Quote.number, sa.String)
    statement = (
        quotes_seen_by(viewer)
        .where(Quote.account_id == viewer.company_id, count > 0)
        .join(Company, Company.id == Quote.dealer_id)
        .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
        .with_only_columns(Quote, Company.code, Company.name, Referral.project_name, count)
    )
    for word in fold(words).split()[:6]:
        statement = statement.where(
            sa.or_(
                sa.func.lower(Referral.project_name).contains(word, autoescape=True),
                sa.func.lower(Company.name).contains(word, autoescape=True),
                public == word,
            )
        )
    rows = tx.execute(statement.order_by(Quote.created_at.desc(), Quote.id.desc()).limit(SOURCES))
    return tuple(
        Source(str(PublicNumber("Q", code, quote.number)), project, name, quote.latest_revision, lines)
        for quote, code, name, project, lines in rows
    )


def _chosen(
    tx: Session, viewer: Viewer, at: datetime, draft: DraftPage, source: str, revision_number: int | None
) -> Chosen:
    quote, number = own_revision(tx, viewer, source, revision_number)
    lines = content_lines(tx, quote, number)
    pricing = pricing_of(
        tx, at=at, exchange=draft.page.exchange, model_numbers=[line.model_number for line in lines]
    )
    rows = []
    for line in lines:
        item = pricing.item(line.model_number)
        rows.append(SourceLine(line, None if item is None else item.list_price_cents))
    return Chosen(
        ref=source,
        project_name=tx.get_one(Referral, (quote.dealer_id, quote.referral_id)).project_name,
        revision=number,
        revisions=tuple(range(quote.latest_revision, 0, -1)),
        lines=tuple(rows),
    )
