"""Quotes and revisions as each side sees them: a dealer never sees a draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.rules.credit import line_credit_cents
from quotes.models.price_lists import PriceList
from quotes.models.quotes import Approval, Quote, Remark, Revision
from quotes.queries.content import content_lines, ordered_lines, ordered_quantities
from quotes.queries.recalls import recalled_lines
from quotes.queries.services import standing_services
from quotes.rules.content import ContentLine, ContentService, Totals, is_expired, shown_state, totals
from quotes.rules.diff import LineChange, OrderedBeyond, diff_lines, ordered_beyond
from quotes.states import RevisionState, ServicesState
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral, User
from referral.permissions import CompanyKind, Role, Viewer
from referral.queries.companies import account_numbers_on
from referral.queries.delegations import delegates_on
from referral.queries.exchange_rates import Exchange, currency_of_dealer, exchange_on
from referral.queries.people import names_with_role
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import creditable_categories, today, whole_number_setting
from referral.states import ReferralState


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
    recalled: str
    """Why the program recalled its list price; '' where it did not."""


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
    comparable: tuple[int, ...]
    """The earlier revisions it can be compared with; a draft is none."""
    compared_with: int | None
    """The one the changes are against: the last one submitted before this, unless another was asked for."""
    changes: tuple[LineChange, ...]
    totals_before: Totals | None
    """The sums of the one it is compared with, by what is creditable today."""
    ordered_beyond: tuple[OrderedBeyond, ...]
    """Lines of which more is ordered already than this revision says; it stays ordered."""
    remarks: tuple[tuple[str, str, datetime], ...]
    """(who, text, when) of what was asked for at lines when this revision was sent back."""
    submitted_by: str
    decided_by: str
    approval: Approval | None
    on_behalf_of: str
    """For which approver a delegate approved; '' where nobody lent the right."""
    dealer_numbers: tuple[str, ...]
    """The dealer's account numbers of today, for the account to choose from."""
    is_closed: bool
    """Whether the project is not the account's any more: nothing of the quote goes on."""
    is_mine_to_build: bool
    is_mine_to_decide: bool
    deciders: tuple[str, ...]
    """Who of the viewer's company may decide, where that is next."""
    is_orderable: bool
    is_newest: bool

    @property
    def recalled(self) -> tuple[LineRow, ...]:
        """The lines whose list price is recalled."""
        return tuple(row for row in self.lines if row.recalled)


def quote_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    ref: str,
    revision_number: int | None = None,
    against: int | None = None,
) -> QuotePage:
    """Return one revision of a quote, the newest visible one by default.

    Its changes are against the earlier revision `against`, by default the last one submitted before it.
    Raises Refusal(not_found) for a quote or revision that the viewer does not see, and for one to compare
    with that is none of the earlier ones.
    """
    dealer_id, number = dealer_of_number(tx, ref, "Q")
    quote = tx.scalars(quote_by_ref(viewer, dealer_id, number)).one_or_none()
    if quote is None:
        raise Refusal("not_found")
    revisions = _visible_revisions(tx, viewer, quote)
    by_number = {revision.number: revision for revision in revisions}
    revision = by_number.get(revisions[-1].number if revision_number is None else revision_number)
    if revision is None:
        raise Refusal("not_found")
    comparable = tuple(
        row.number
        for row in revisions
        if row.number < revision.number and row.state is not RevisionState.DRAFT
    )
    if against is not None and against not in comparable:
        raise Refusal("not_found")
    last = comparable[-1] if comparable else None
    return _quote_page(
        tx,
        viewer,
        today(tx, at),
        quote,
        revision,
        revisions,
        comparable,
        last if against is None else against,
    )


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
    comparable: tuple[int, ...],
    compared_with: int | None,
) -> QuotePage:
    dealer = tx.get_one(Company, quote.dealer_id)
    account = tx.get_one(Company, quote.account_id)
    referral = tx.get_one(Referral, (quote.dealer_id, quote.referral_id))
    creditable = creditable_categories(tx, day.year)
    rate = whole_number_setting(tx, "credit_rate", day)
    exchange = exchange_on(tx, revision.currency or currency_of_dealer(tx, dealer, day), day)
    lines = content_lines(tx, quote, revision.number)
    services = standing_services(tx, quote, revision.number)
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
    asked: dict[UUID | None, tuple[str, ...]] = {}
    for remark, _ in remarks:
        asked[remark.line_id] = (*asked.get(remark.line_id, ()), remark.text)
    recalled = recalled_lines(tx, revision.price_list_id, lines)
    rows = tuple(
        _line_row(
            line,
            creditable,
            (rate, exchange.rate),
            ordered,
            asked.get(line.line_id, ()),
            recalled.get(line.line_id, ""),
        )
        for line in lines
    )
    lines_before = () if compared_with is None else content_lines(tx, quote, compared_with)
    approval = tx.get(Approval, (quote.dealer_id, quote.id, revision.number))
    lender = None if approval is None else approval.on_behalf_of
    names = _names(tx, revision.submitted_by, revision.decided_by, lender)
    state = shown_state(revision.state, revision.expires_on, day)
    has_rest = any(row.remaining_quantity and not row.recalled for row in rows)
    is_theirs = viewer.acts_as(CompanyKind.DEALER) and quote.dealer_id == viewer.company_id
    is_closed = referral.state is not ReferralState.ACCEPTED
    may_decide = is_theirs and state == "submitted" and not is_closed
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
        comparable=comparable,
        compared_with=compared_with,
        changes=() if compared_with is None else diff_lines(lines_before, lines),
        totals_before=None
        if compared_with is None
        else totals(lines_before, standing_services(tx, quote, compared_with), creditable),
        ordered_beyond=ordered_beyond(ordered_lines(tx, quote), lines, ordered),
        remarks=tuple((name, remark.text, remark.made_at) for remark, name in remarks),
        submitted_by=names.get(revision.submitted_by, ""),
        decided_by=names.get(revision.decided_by, ""),
        approval=approval,
        on_behalf_of=names.get(lender, ""),
        dealer_numbers=account_numbers_on(tx, quote.dealer_id, day),
        is_closed=is_closed,
        is_mine_to_build=sees_drafts(viewer, quote),
        is_mine_to_decide=may_decide,
        deciders=_deciders(tx, dealer.id, day) if may_decide else (),
        is_orderable=state == "approved"
        and has_rest
        and not is_closed
        and revision.services_state in {ServicesState.NONE, ServicesState.AGREED},
        is_newest=revision.number == revisions[-1].number,
    )


def _deciders(tx: Session, dealer_id: UUID, day: date) -> tuple[str, ...]:
    """Return the dealer's approvers, then those who decide for one of them on the day."""
    approvers = names_with_role(tx, company_id=dealer_id, role=Role.DEALER_APPROVER)
    lent = delegates_on(tx, company_id=dealer_id, day=day)
    return (*approvers, *(f"{each.name} (for {each.approver_name})" for each in lent))


def _line_row(
    line: ContentLine,
    creditable: frozenset[str],
    rates: tuple[int, int],
    ordered: dict[UUID, int],
    asked: tuple[str, ...],
    recalled: str,
) -> LineRow:
    is_creditable = line.category.value in creditable
    taken = ordered.get(line.line_id, 0)
    return LineRow(
        line=line,
        is_creditable=is_creditable,
        credit_cents=line_credit_cents(line.list_price_cents, line.quantity, *rates) if is_creditable else 0,
        ordered_quantity=taken,
        remaining_quantity=max(line.quantity - taken, 0),
        remarks=asked,
        recalled=recalled,
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
