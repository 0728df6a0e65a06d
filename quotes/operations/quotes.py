"""Building a quote: drafts, their lines and services, submission."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.price_lists import PriceItem, PriceList
from quotes.models.quotes import Quote, Revision, RevisionLine
from quotes.operations.carried_files import carry_design_files
from quotes.operations.draft_content import add_lines, add_services, clear_content
from quotes.queries.content import content_lines, ordered_lines, quote_ref
from quotes.queries.last_saved import DRAFT_SAVED, last_saved
from quotes.queries.price_lists import items_by_model_number, price_list_on
from quotes.queries.quotes import quote_by_ref, sees_drafts
from quotes.queries.services import standing_services
from quotes.rules.content import MAX_LINES, ContentLine, ContentService
from quotes.states import RevisionState, ServiceKind, ServicesState
from referral.db import locked
from referral.errors import Problem, Refusal
from referral.ids import new_id
from referral.models import Company, Referral
from referral.money import format_cents
from referral.operations.records import guard_permission, guard_total, next_number, record_event
from referral.operations.referrals import locked_referral
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.continuations import check_may_go_on, check_project_stands
from referral.queries.exchange_rates import currency_of_dealer
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import today
from referral.states import ReferralState
from referral.text import fold_model_number

AUTOSAVE_EVENT = timedelta(minutes=5)
"""How long the event of one save stands for the saves that the page makes by itself after it."""


@dataclass(frozen=True)
class LineInput:
    """A product line as typed or imported. `list_price_cents` None takes the list's price.

    `line_id` None is a new line.
    """

    model_number: str
    quantity: int
    room: str
    line_id: UUID | None = None
    list_price_cents: int | None = None


@dataclass(frozen=True)
class ServiceInput:
    """A service or labor line as typed, in cents."""

    kind: ServiceKind
    description: str
    amount_cents: int


def locked_quote(tx: Session, actor: Viewer, ref: str) -> Quote:
    """Return the quote, locked: every write about it takes this lock first. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "Q")
    quote = locked(tx, quote_by_ref(actor, dealer_id, number))
    if quote is None:
        raise Refusal("not_found")
    return quote


def guard_account_side(actor: Viewer, quote: Quote) -> None:
    """Guard: the actor's company makes this quote. Raises Refusal(forbidden)."""
    if not sees_drafts(actor, quote):
        raise Refusal("forbidden")


def guard_project_stands(tx: Session, quote: Quote) -> None:
    """Guard: the project is still with the quote's account. Raises Refusal(referral_closed)."""
    check_project_stands(tx, dealer_id=quote.dealer_id, referral_id=quote.referral_id)


def guard_may_go_on(tx: Session, quote: Quote, day: date) -> None:
    """Guard: the account is qualified on the day, or let go on with this project.

    Raises Refusal(referral_closed) where the project is not its any more, (account_not_qualified).
    """
    guard_project_stands(tx, quote)
    check_may_go_on(
        tx,
        dealer_id=quote.dealer_id,
        referral_id=quote.referral_id,
        account_id=quote.account_id,
        day=day,
    )


def locked_revision(tx: Session, quote: Quote, number: int) -> Revision:
    """Return a revision under its quote's lock. Raises Refusal(not_found)."""
    revision = locked(
        tx,
        sa.select(Revision).where(
            Revision.dealer_id == quote.dealer_id, Revision.quote_id == quote.id, Revision.number == number
        ),
    )
    if revision is None:
        raise Refusal("not_found")
    return revision


def start_quote(tx: Session, *, actor: Viewer, at: datetime, referral_ref: str) -> tuple[Quote, str]:
    """An accepted referral has a quote with a first draft; returns it with its public number.

    A first draft that is there already is that draft, so that a double click starts one quote.

    Raises Refusal(forbidden), (not_found), (referral_closed) unless accepted, (account_not_qualified).
    """
    guard_permission(actor, Permission.QUOTE_BUILD)
    referral = locked_referral(tx, actor, referral_ref)
    dealer_id = referral.dealer_id
    if referral.account_id != actor.company_id or not actor.acts_as(CompanyKind.ACCOUNT):
        raise Refusal("forbidden")
    if referral.state is not ReferralState.ACCEPTED:
        raise Refusal("referral_closed")
    check_may_go_on(
        tx,
        dealer_id=dealer_id,
        referral_id=referral.id,
        account_id=referral.account_id,
        day=today(tx, at),
    )
    started = _started_quote(tx, referral)
    if started is not None:
        return started, quote_ref(tx, started)
    quote = Quote(
        dealer_id=dealer_id,
        id=new_id(),
        number=next_number(tx, dealer_id, "Q"),
        account_id=referral.account_id,
        referral_id=referral.id,
        latest_revision=1,
        created_by=actor.user_id,
        created_at=at,
    )
    tx.add(quote)
    tx.flush()
    tx.add(_new_draft(quote, 1, actor, at))
    ref = quote_ref(tx, quote)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer_id,
        event="quote.started",
        subject=ref,
        details={"referral": referral_ref},
    )
    return quote, ref


def _started_quote(tx: Session, referral: Referral) -> Quote | None:
    """Return the referral's quote that has nothing but a first draft, or None."""
    return tx.scalars(
        sa.select(Quote)
        .join(
            Revision,
            sa.and_(
                Revision.dealer_id == Quote.dealer_id, Revision.quote_id == Quote.id, Revision.number == 1
            ),
        )
        .where(
            Quote.dealer_id == referral.dealer_id,
            Quote.referral_id == referral.id,
            Quote.latest_revision == 1,
            Revision.state == RevisionState.DRAFT,
        )
        .order_by(Quote.number)
        .limit(1)
    ).first()


def _new_draft(quote: Quote, number: int, actor: Viewer, at: datetime) -> Revision:
    return Revision(
        dealer_id=quote.dealer_id,
        quote_id=quote.id,
        number=number,
        state=RevisionState.DRAFT,
        services_state=ServicesState.OPEN,
        account_number="",
        note="",
        draft_version=1,
        created_by=actor.user_id,
        created_at=at,
        decision_reason="",
    )


def start_revision(tx: Session, *, actor: Viewer, at: datetime, ref: str) -> Revision:
    """The quote has a next draft, a copy of the newest revision; an existing draft is that draft.

    The newest revision stays as it is until the draft is submitted. Raises Refusal(forbidden), (not_found),
    (referral_closed).
    """
    guard_permission(actor, Permission.QUOTE_BUILD)
    quote = locked_quote(tx, actor, ref)
    guard_account_side(actor, quote)
    guard_project_stands(tx, quote)
    newest = locked_revision(tx, quote, quote.latest_revision)
    if newest.state is RevisionState.DRAFT:
        return newest
    lines = content_lines(tx, quote, newest.number)
    services = standing_services(tx, quote, newest.number)
    quote.latest_revision += 1
    draft = _new_draft(quote, quote.latest_revision, actor, at)
    draft.account_number, draft.note = newest.account_number, newest.note
    is_none = newest.services_state is ServicesState.NONE
    draft.services_state = (
        ServicesState.NONE if is_none else ServicesState.PROPOSED if services else ServicesState.OPEN
    )
    tx.add(draft)
    tx.flush()
    add_lines(tx, draft, lines)
    carry_design_files(tx, newest, draft)
    add_services(tx, draft, services)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=quote.dealer_id,
        event="revision.started",
        subject=ref,
        details={"revision": draft.number},
    )
    return draft


def save_draft(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    revision_number: int,
    draft_version: int | None,
    account_number: str,
    note: str,
    lines: Sequence[LineInput],
    services: Sequence[ServiceInput],
    has_no_services: bool,
    is_autosave: bool = False,
) -> Revision:
    """The draft says exactly this. Prices come from the list valid today in the dealer's currency.

    A price that is given must equal it.
    `draft_version` is the version the editor read (None does not check). Saves that the page makes by
    itself (`is_autosave`) leave one event for each editor and AUTOSAVE_EVENT of time, so that the newest
    event always names who saved last and the trail is not flooded. Raises Refusal(forbidden),
    (not_found), (referral_closed), (revision_immutable), (stale_draft), (invalid_input), (amount_too_large),
    (price_list_missing), and with one problem a line: (model_number_unknown), (not_list_price).
    """
    guard_permission(actor, Permission.QUOTE_BUILD)
    quote = locked_quote(tx, actor, ref)
    guard_account_side(actor, quote)
    guard_project_stands(tx, quote)
    revision = locked_revision(tx, quote, revision_number)
    if revision.state is not RevisionState.DRAFT:
        raise Refusal("revision_immutable")
    if draft_version is not None and draft_version != revision.draft_version:
        raise Refusal("stale_draft")
    if len(lines) > MAX_LINES:
        raise Refusal("invalid_input", f"A revision has at most {MAX_LINES:,} lines.", "lines")
    day = today(tx, at)
    price_list = price_list_on(tx, day, dealer_currency(tx, quote, day))
    priced = at_list_price(tx, price_list, content_lines_before(tx, quote), _apart(tx, quote, lines))
    guard_total(
        sum(line.amount_cents for line in priced) + sum(service.amount_cents for service in services), "lines"
    )
    clear_content(tx, revision)
    add_lines(tx, revision, priced)
    said = [] if has_no_services else services
    add_services(tx, revision, [ContentService(row.kind, row.description, row.amount_cents) for row in said])
    revision.account_number = account_number.strip()
    revision.note = note
    revision.services_state = (
        ServicesState.NONE if has_no_services else ServicesState.PROPOSED if services else ServicesState.OPEN
    )
    revision.draft_version += 1
    last = last_saved(tx, quote.dealer_id, ref) if is_autosave else None
    if last is None or last.actor_id != actor.user_id or at - last.at >= AUTOSAVE_EVENT:
        record_event(
            tx,
            actor=actor,
            at=at,
            company_id=quote.dealer_id,
            event=DRAFT_SAVED,
            subject=ref,
            details={"revision": revision_number, "lines": len(lines)}
            | ({"by_itself": True} if is_autosave else {}),
        )
    return revision


def _apart(tx: Session, quote: Quote, lines: Sequence[LineInput]) -> list[LineInput]:
    """Return the lines; one that was ordered as another product is a new line, and does not count its units."""
    ordered = {line.line_id: line.model_number for line in ordered_lines(tx, quote)}
    return [
        line
        if line.line_id is None or ordered.get(line.line_id) in {None, fold_model_number(line.model_number)}
        else replace(line, line_id=None)
        for line in lines
    ]


def dealer_currency(tx: Session, quote: Quote, day: date) -> str:
    """Return the currency in which the quote's dealer is quoted."""
    return currency_of_dealer(tx, tx.get_one(Company, quote.dealer_id), day)


def content_lines_before(tx: Session, quote: Quote) -> frozenset[UUID]:
    """Return every line id the quote ever used: a draft may carry these on, no foreign ones."""
    return frozenset(
        tx.scalars(
            sa.select(RevisionLine.line_id)
            .where(RevisionLine.dealer_id == quote.dealer_id, RevisionLine.quote_id == quote.id)
            .distinct()
        )
    )


def at_list_price(
    tx: Session, price_list: PriceList, known: frozenset[UUID], lines: Sequence[LineInput]
) -> list[ContentLine]:
    """Return the lines at exactly the list's prices; `known` are the line ids they may carry on.

    Raises Refusal(model_number_unknown) or (not_list_price) with one problem a line.
    """
    items = items_by_model_number(tx, price_list, [line.model_number for line in lines])
    problems: list[Problem] = []
    priced: list[ContentLine] = []
    used: set[UUID] = set()
    for index, line in enumerate(lines):
        item = items.get(fold_model_number(line.model_number))
        if item is None:
            problems.append(
                Problem(
                    "model_number_unknown",
                    f"{line.model_number} is not on price list {price_list.version}.",
                    f"lines-{index}-model_number",
                )
            )
            continue
        given = line.list_price_cents
        if given is not None and given != item.list_price_cents:
            problems.append(
                Problem(
                    "not_list_price",
                    f"Line {index + 1}: list price {format_cents(item.list_price_cents)}, given {format_cents(given)}.",
                    f"lines-{index}-list_price",
                )
            )
            continue
        line_id = line.line_id if line.line_id in known and line.line_id not in used else None
        line_id = line_id or new_id()
        used.add(line_id)
        priced.append(_content_line(line_id, item, line.room, line.quantity))
    if problems:
        raise Refusal(problems[0].code, problems[0].message, problems[0].field, problems=tuple(problems))
    return priced


def _content_line(line_id: UUID, item: PriceItem, room: str, quantity: int) -> ContentLine:
    return ContentLine(
        line_id=line_id,
        model_number=item.model_number,
        description=item.description,
        family=item.family,
        category=item.category,
        unit=item.unit,
        room=room,
        quantity=quantity,
        list_price_cents=item.list_price_cents,
    )
