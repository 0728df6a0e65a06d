"""Submitting a draft: prices, list, last day and digests are pinned, and nothing changes any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.price_lists import PriceList
from quotes.models.quotes import Quote, Revision, RevisionLine
from quotes.operations.mails import project_of, tell_dealer
from quotes.operations.quotes import (
    LineInput,
    at_list_price,
    dealer_currency,
    guard_account_side,
    guard_may_go_on,
    locked_quote,
    locked_revision,
)
from quotes.operations.recalls import guard_not_recalled
from quotes.operations.services import offer_submitted
from quotes.queries.content import content_lines, content_services, revision_digests
from quotes.queries.price_lists import price_list_on
from quotes.rules import mails
from quotes.rules.content import ContentLine, last_valid_day
from quotes.states import REVISION_MOVES, RevisionState
from referral.errors import Refusal
from referral.operations.records import guard_permission, guard_total, record_event
from referral.permissions import Permission, Viewer
from referral.queries.companies import check_account_number
from referral.queries.settings import today, whole_number_setting
from referral.states import next_state


def submit_revision(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, revision_number: int, draft_version: int | None
) -> Revision:
    """The dealer can decide on the draft: list, prices, last day and digests are pinned, nothing changes.

    An earlier revision that waits or was sent back is superseded. Raises Refusal(forbidden), (not_found),
    (revision_immutable), (stale_draft), (empty_quote), (referral_closed), (account_not_qualified),
    (account_number_missing), (account_number_unknown_for_dealer), (price_list_missing), (model_number_unknown),
    (amount_too_large), and (price_recalled) with one problem for each line whose price of today is recalled.
    """
    guard_permission(actor, Permission.QUOTE_BUILD)
    quote = locked_quote(tx, actor, ref)
    guard_account_side(actor, quote)
    revision = locked_revision(tx, quote, revision_number)
    if revision.state is not RevisionState.DRAFT:
        raise Refusal("revision_immutable")
    if draft_version is not None and draft_version != revision.draft_version:
        raise Refusal("stale_draft")
    day = today(tx, at)
    guard_may_go_on(tx, quote, day)
    check_account_number(tx, dealer_id=quote.dealer_id, number=revision.account_number, day=day)
    saved = content_lines(tx, quote, revision_number)
    if not saved:
        raise Refusal("empty_quote")
    price_list = price_list_on(tx, day, dealer_currency(tx, quote, day))
    typed = [LineInput(row.model_number, row.quantity, row.room, row.line_id) for row in saved]
    lines = at_list_price(tx, price_list, frozenset(row.line_id for row in saved), typed)
    guard_not_recalled(
        tx,
        price_list_id=price_list.id,
        lines=lines,
        field=lambda index, _: f"lines-{index}-model_number",
        advice="Remove the line, or submit when the program has published a new list.",
    )
    services = content_services(tx, quote, revision_number)
    guard_total(sum(row.amount_cents for row in lines) + sum(row.amount_cents for row in services))
    _take_over(tx, revision, saved, lines)
    _pin(tx, quote, revision, price_list, lines, day)
    revision.submitted_by, revision.submitted_at = actor.user_id, at
    revision.state = next_state(REVISION_MOVES, "submit", revision.state, "revision_immutable")
    supersede_before(tx, quote, revision, {RevisionState.SUBMITTED, RevisionState.CHANGES_REQUESTED})
    tx.flush()
    offer_submitted(tx, actor=actor, at=at, quote=quote, revision=revision)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=quote.dealer_id,
        event="revision.submitted",
        subject=ref,
        details={"revision": revision_number, "digest": revision.digest},
    )
    text = mails.submitted(ref, revision_number, project_of(tx, quote), revision.expires_on)
    tell_dealer(tx, at, quote.dealer_id, text)
    return revision


def _take_over(
    tx: Session, revision: Revision, saved: Sequence[ContentLine], lines: Sequence[ContentLine]
) -> None:
    """The draft's lines say what today's list says; a line that said so already is not touched."""
    changed = [
        {
            "at_line": line.line_id,
            "description": line.description,
            "family": line.family,
            "category": line.category,
            "unit": line.unit,
            "list_price_cents": line.list_price_cents,
        }
        for line, was in zip(lines, saved, strict=True)
        if line != was
    ]
    if changed:
        tx.connection().execute(
            sa.update(RevisionLine)
            .where(
                RevisionLine.dealer_id == revision.dealer_id,
                RevisionLine.quote_id == revision.quote_id,
                RevisionLine.revision_number == revision.number,
                RevisionLine.line_id == sa.bindparam("at_line"),
            )
            .values({name: sa.bindparam(name) for name in changed[0] if name != "at_line"}),
            changed,
        )


def _pin(
    tx: Session,
    quote: Quote,
    revision: Revision,
    price_list: PriceList,
    lines: Sequence[ContentLine],
    day: date,
) -> None:
    digests = revision_digests(tx, quote, revision, price_list, lines)
    revision.price_list_id, revision.currency = price_list.id, price_list.currency
    revision.submitted_on = day
    revision.expires_on = last_valid_day(day, whole_number_setting(tx, "quote_valid_days", day))
    revision.products_digest = digests.products
    revision.services_digest = digests.services
    revision.digest = digests.both


def supersede_before(tx: Session, quote: Quote, revision: Revision, states: set[RevisionState]) -> None:
    """Earlier revisions in these states give way to this one."""
    earlier = tx.scalars(
        sa.select(Revision)
        .where(
            Revision.dealer_id == quote.dealer_id,
            Revision.quote_id == quote.id,
            Revision.number < revision.number,
            Revision.state.in_(states),
        )
        .order_by(Revision.number)
    )
    for row in earlier:
        row.state = next_state(REVISION_MOVES, "supersede", row.state, "not_pending")
