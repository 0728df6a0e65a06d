"""Quotes and revisions as each side sees them: a dealer never sees a draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.rules.credit import line_credit_cents
from quotes.models.orders import CancellationLine, OrderLine
from quotes.models.price_lists import PriceList
from quotes.models.quotes import Approval, Quote, Remark, Revision, RevisionLine, RevisionService
from quotes.rules import (
    ContentHead,
    ContentLine,
    ContentService,
    Digests,
    LineChange,
    Totals,
    content_digests,
    diff_lines,
    is_expired,
    shown_state,
    totals,
)
from quotes.states import RevisionState, ServicesState
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral, User
from referral.permissions import CompanyKind, Role, Viewer
from referral.queries.companies import account_numbers_on
from referral.queries.exchange_rates import Exchange, currency_of_dealer, exchange_on
from referral.queries.people import names_with_role
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import creditable_categories, today, whole_number_setting


def quotes_seen_by(viewer: Viewer) -> sa.Select[Quote]:
    """Return the quotes the viewer may see.

    The account that makes them, the dealer once a revision was submitted, the program once submitted.
    """
    statement = sa.select(Quote)
    submitted = (
        sa.select(Revision.number)
        .where(
            Revision.dealer_id == Quote.dealer_id,
            Revision.quote_id == Quote.id,
            Revision.state != RevisionState.DRAFT,
        )
        .exists()
    )
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement.where(submitted)
    sides: list[sa.ColumnElement[bool]] = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(sa.and_(Quote.dealer_id == viewer.company_id, submitted))
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(Quote.account_id == viewer.company_id)
    return statement.where(sa.or_(sa.false(), *sides))


def quote_by_ref(viewer: Viewer, dealer_id: UUID, number: int) -> sa.Select[Quote]:
    """Return the statement for one visible quote, for reads and locks alike."""
    return quotes_seen_by(viewer).where(Quote.dealer_id == dealer_id, Quote.number == number)


def sees_drafts(viewer: Viewer, quote: Quote) -> bool:
    """Say whether the viewer may see this quote's drafts: the account that makes it."""
    return viewer.acts_as(CompanyKind.ACCOUNT) and quote.account_id == viewer.company_id


def content_lines(tx: Session, quote: Quote, revision_number: int) -> tuple[ContentLine, ...]:
    """Return a revision's product lines in order."""
    rows = tx.scalars(
        sa.select(RevisionLine)
        .where(
            RevisionLine.dealer_id == quote.dealer_id,
            RevisionLine.quote_id == quote.id,
            RevisionLine.revision_number == revision_number,
        )
        .order_by(RevisionLine.position, RevisionLine.line_id)
    )
    return tuple(
        ContentLine(
            line_id=row.line_id,
            model_number=row.model_number,
            description=row.description,
            family=row.family,
            category=row.category,
            unit=row.unit,
            room=row.room,
            quantity=row.quantity,
            list_price_cents=row.list_price_cents,
        )
        for row in rows
    )


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


# one quote --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RevisionRow:
    """A revision in the list of revisions."""

    number: int
    state: str
    submitted_at: datetime | None
    decided_at: datetime | None


@dataclass(frozen=True)
class LineRow:
    """A product line on a page, with what it earns and what is ordered of it."""

    line: ContentLine
    is_creditable: bool
    credit_cents: int
    ordered_quantity: int
    remaining_quantity: int
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Room:
    """The lines of one room, in order, with their sum in cents."""

    name: str
    lines: tuple[LineRow, ...]
    amount_cents: int


@dataclass(frozen=True)
class QuotePage:
    """One revision of a quote with everything its page shows."""

    ref: str
    referral_ref: str
    project_name: str
    place: str
    spaces: str
    dealer_code: str
    dealer_name: str
    account_name: str
    revision: Revision
    state: str
    is_expired: bool
    days_left: int | None
    revisions: tuple[RevisionRow, ...]
    price_list: PriceList | None
    lines: tuple[LineRow, ...]
    rooms: tuple[Room, ...]
    services: tuple[ContentService, ...]
    totals: Totals
    exchange: Exchange
    """The currency of its amounts, and how they become the program's today."""
    credit_cents: int
    """What ordering all of it today earns in the program's currency, rounded line by line."""
    credit_rate: int
    program_year: int
    compared_with: int | None
    """The revision the changes are against: the last one submitted before this."""
    changes: tuple[LineChange, ...]
    remarks: tuple[tuple[str, str, datetime], ...]
    """(who, text, when) of the remarks made on this revision."""
    submitted_by: str
    decided_by: str
    approval: Approval | None
    dealer_numbers: tuple[str, ...]
    """The dealer's account numbers of today, for the account to choose from."""
    is_mine_to_build: bool
    is_mine_to_decide: bool
    deciders: tuple[str, ...]
    """Who of the viewer's company may decide, where that is next."""
    is_orderable: bool
    is_newest: bool


def quote_page(
    tx: Session, *, viewer: Viewer, at: datetime, ref: str, revision_number: int | None = None
) -> QuotePage:
    """Return one revision of a quote, the newest visible one by default. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "Q")
    quote = tx.scalars(quote_by_ref(viewer, dealer_id, number)).one_or_none()
    if quote is None:
        raise Refusal("not_found")
    revisions = _visible_revisions(tx, viewer, quote)
    by_number = {revision.number: revision for revision in revisions}
    revision = by_number.get(revisions[-1].number if revision_number is None else revision_number)
    if revision is None:
        raise Refusal("not_found")
    return _quote_page(tx, viewer, today(tx, at), quote, revision, revisions)


def _visible_revisions(tx: Session, viewer: Viewer, quote: Quote) -> Sequence[Revision]:
    statement = (
        sa.select(Revision)
        .where(Revision.dealer_id == quote.dealer_id, Revision.quote_id == quote.id)
        .order_by(Revision.number)
    )
    if not sees_drafts(viewer, quote):
        statement = statement.where(Revision.state != RevisionState.DRAFT)
    return tx.scalars(statement).all()


def _quote_page(
    tx: Session,
    viewer: Viewer,
    day: date,
    quote: Quote,
    revision: Revision,
    revisions: Sequence[Revision],
) -> QuotePage:
    dealer = tx.get_one(Company, quote.dealer_id)
    account = tx.get_one(Company, quote.account_id)
    referral = tx.get_one(Referral, (quote.dealer_id, quote.referral_id))
    creditable = creditable_categories(tx, day.year)
    rate = whole_number_setting(tx, "credit_rate", day)
    exchange = exchange_on(tx, revision.currency or currency_of_dealer(tx, dealer, day), day)
    lines = content_lines(tx, quote, revision.number)
    services = content_services(tx, quote, revision.number)
    ordered = ordered_quantities(tx, quote)
    remarks = tx.execute(
        sa.select(Remark, User.name)
        .join(User, User.id == Remark.made_by)
        .where(
            Remark.dealer_id == quote.dealer_id,
            Remark.quote_id == quote.id,
            Remark.revision_number == revision.number,
            Remark.is_request,
        )
        .order_by(Remark.made_at, Remark.id)
    ).all()
    rows = tuple(
        _line_row(line, creditable, (rate, exchange.rate), ordered, [remark for remark, _ in remarks])
        for line in lines
    )
    earlier = [
        row.number
        for row in revisions
        if row.number < revision.number and row.state is not RevisionState.DRAFT
    ]
    names = _names(tx, revision.submitted_by, revision.decided_by)
    state = shown_state(revision.state, revision.expires_on, day)
    has_rest = any(row.remaining_quantity for row in rows)
    is_theirs = viewer.acts_as(CompanyKind.DEALER) and quote.dealer_id == viewer.company_id
    may_decide = is_theirs and state == "submitted"
    return QuotePage(
        ref=str(PublicNumber("Q", dealer.code, quote.number)),
        referral_ref=str(PublicNumber("R", dealer.code, referral.number)),
        project_name=referral.project_name,
        place=referral.place,
        spaces=referral.spaces,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        account_name=account.name,
        revision=revision,
        state=state,
        is_expired=is_expired(revision.expires_on, day),
        days_left=None if revision.expires_on is None else (revision.expires_on - day).days,
        revisions=tuple(
            RevisionRow(
                row.number, shown_state(row.state, row.expires_on, day), row.submitted_at, row.decided_at
            )
            for row in revisions
        ),
        price_list=None if revision.price_list_id is None else tx.get_one(PriceList, revision.price_list_id),
        lines=rows,
        rooms=_rooms(rows),
        services=services,
        totals=totals(lines, services, creditable),
        exchange=exchange,
        credit_cents=sum(row.credit_cents for row in rows),
        credit_rate=rate,
        program_year=day.year,
        compared_with=earlier[-1] if earlier else None,
        changes=diff_lines(content_lines(tx, quote, earlier[-1]), lines) if earlier else (),
        remarks=tuple((name, remark.text, remark.made_at) for remark, name in remarks),
        submitted_by=names.get(revision.submitted_by, ""),
        decided_by=names.get(revision.decided_by, ""),
        approval=tx.get(Approval, (quote.dealer_id, quote.id, revision.number)),
        dealer_numbers=account_numbers_on(tx, quote.dealer_id, day),
        is_mine_to_build=sees_drafts(viewer, quote),
        is_mine_to_decide=may_decide,
        deciders=names_with_role(tx, company_id=dealer.id, role=Role.DEALER_APPROVER) if may_decide else (),
        is_orderable=state == "approved"
        and has_rest
        and revision.services_state in {ServicesState.NONE, ServicesState.AGREED},
        is_newest=revision.number == revisions[-1].number,
    )


def _line_row(
    line: ContentLine,
    creditable: frozenset[str],
    rates: tuple[int, int],
    ordered: dict[UUID, int],
    remarks: Sequence[Remark],
) -> LineRow:
    is_creditable = line.category.value in creditable
    taken = ordered.get(line.line_id, 0)
    return LineRow(
        line=line,
        is_creditable=is_creditable,
        credit_cents=line_credit_cents(line.list_price_cents, line.quantity, *rates) if is_creditable else 0,
        ordered_quantity=taken,
        remaining_quantity=max(line.quantity - taken, 0),
        remarks=tuple(remark.text for remark in remarks if remark.line_id == line.line_id),
    )


def _rooms(rows: Sequence[LineRow]) -> tuple[Room, ...]:
    rooms: dict[str, list[LineRow]] = {}
    for row in rows:
        rooms.setdefault(row.line.room, []).append(row)
    return tuple(
        Room(name, tuple(lines), sum(row.line.amount_cents for row in lines)) for name, lines in rooms.items()
    )


def _names(tx: Session, *user_ids: UUID | None) -> dict[UUID | None, str]:
    wanted = [user_id for user_id in user_ids if user_id is not None]
    found = tx.execute(sa.select(User.id, User.name).where(User.id.in_(wanted)))
    return {row.id: row.name for row in found}
