"""Copying lines from one quote of an account into another's draft."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Revision, RevisionLine
from quotes.operations.draft_content import add_lines
from quotes.operations.quotes import (
    LineInput,
    at_list_price,
    dealer_currency,
    guard_account_side,
    guard_project_stands,
    locked_quote,
    locked_revision,
)
from quotes.queries.content import content_lines, content_services
from quotes.queries.copies import own_revision
from quotes.queries.price_lists import items_by_model_number, price_list_on
from quotes.rules.content import MAX_LINES
from quotes.states import RevisionState
from referral.errors import Problem, Refusal
from referral.operations.records import guard_permission, guard_total, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today
from referral.text import fold_model_number


@dataclass(frozen=True)
class Copied:
    """What became of a copy."""

    revision: Revision
    copied: int
    """Lines that are new in the draft."""
    left_out: tuple[str, ...]
    """Model numbers of lines that are not on today's list, each once."""


def copy_lines(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    draft_version: int | None,
    source_ref: str,
    source_revision: int | None = None,
    replaces: bool = False,
    good_only: bool = False,
) -> Copied:
    """The draft has the product lines of another quote of the account too, at the list prices of today.

    Model number, quantity and room are copied, each as a new line after those that are there; `replaces`
    takes these away first. `source_revision` None is the newest. All lines or none, unless `good_only` leaves
    out those that today's list lacks. `draft_version` None does not check. Raises Refusal(forbidden),
    (not_found) also for a quote of another account, (referral_closed), (revision_immutable), (stale_draft),
    (empty_quote) where nothing could be copied, (invalid_input) for too many lines, (amount_too_large),
    (price_list_missing), (model_number_unknown) with one problem a line.
    """
    guard_permission(actor, Permission.QUOTE_BUILD)
    quote = locked_quote(tx, actor, ref)
    guard_account_side(actor, quote)
    guard_project_stands(tx, quote)
    revision = locked_revision(tx, quote, quote.latest_revision)
    if revision.state is not RevisionState.DRAFT:
        raise Refusal("revision_immutable")
    if draft_version is not None and draft_version != revision.draft_version:
        raise Refusal("stale_draft")
    source, number = own_revision(tx, actor, source_ref, source_revision)
    lines = content_lines(tx, source, number)
    day = today(tx, at)
    price_list = price_list_on(tx, day, dealer_currency(tx, quote, day))
    known = items_by_model_number(tx, price_list, [line.model_number for line in lines])
    gone = [line for line in lines if fold_model_number(line.model_number) not in known]
    if gone and not good_only:
        raise Refusal(
            "model_number_unknown",
            f"Nothing was copied: {gone[0].model_number} is not on price list {price_list.version}.",
            problems=tuple(
                Problem(
                    "model_number_unknown",
                    f"{line.model_number} ({line.description}) is not on price list {price_list.version}.",
                )
                for line in gone
            ),
        )
    good = [line for line in lines if fold_model_number(line.model_number) in known]
    if not good:
        raise Refusal("empty_quote", "There is no line that can be copied.", "source")
    kept = () if replaces else content_lines(tx, quote, revision.number)
    if len(kept) + len(good) > MAX_LINES:
        raise Refusal("invalid_input", f"A revision has at most {MAX_LINES:,} lines.", "source")
    new = at_list_price(
        tx,
        price_list,
        frozenset(),
        [LineInput(line.model_number, line.quantity, line.room) for line in good],
    )
    services = content_services(tx, quote, revision.number)
    guard_total(
        sum(line.amount_cents for line in (*kept, *new)) + sum(row.amount_cents for row in services), "source"
    )
    here = (
        RevisionLine.dealer_id == revision.dealer_id,
        RevisionLine.quote_id == revision.quote_id,
        RevisionLine.revision_number == revision.number,
    )
    if replaces:
        tx.execute(sa.delete(RevisionLine).where(*here))
    last = tx.scalar(sa.select(sa.func.max(RevisionLine.position)).where(*here)) or 0
    add_lines(tx, revision, new, last + 1)
    revision.draft_version += 1
    left_out = tuple(dict.fromkeys(line.model_number for line in gone))
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=quote.dealer_id,
        event="draft.copied",
        subject=ref,
        details={
            "revision": revision.number,
            "from": source_ref,
            "from_revision": number,
            "lines": len(new),
            "left_out": list(left_out),
            "replaces": replaces,
        },
    )
    return Copied(revision, len(new), left_out)
