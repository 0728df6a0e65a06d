"""Recalling prices that were published wrongly, and telling both sides of every quote that holds one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Quote, Revision
from quotes.models.recalls import PriceRecall, RecallNotice
from quotes.operations.mails import project_of, tell_account, tell_dealer
from quotes.queries.content import quote_ref
from quotes.queries.price_lists import items_by_model_number, price_list_by_version
from quotes.queries.recalls import owed_notices, recalled_lines
from quotes.rules import mails
from quotes.rules.content import ContentLine
from quotes.states import RevisionState
from referral.db import locked
from referral.errors import Problem, Refusal
from referral.ids import new_id
from referral.models import Company
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today
from referral.text import fold_model_number

MAX_MODEL_NUMBERS = 500
"""Prices recalled at once."""
REASON_LENGTH = 500


def recall_prices(
    tx: Session, *, actor: Viewer, at: datetime, version: int, model_numbers: Sequence[str], reason: str
) -> tuple[PriceRecall, ...]:
    """From now on nothing is submitted, approved or ordered at these prices of a list version.

    What is recalled already stays as it was recalled first; returns every recall that was asked for. Posted
    credit never moves. Whoever commits first wins: an approval or order that committed before this recall
    stands, and `tell_of_recalls`, which takes the quote's lock, then sees it and says so; one that comes
    later finds the recall and is refused (price_recalled). Raises Refusal(forbidden), (not_found),
    (reason_required), (invalid_input) without model numbers or with too many, and (model_number_unknown)
    with one problem for each that the version does not have. Program rules, section 4.
    """
    guard_permission(actor, Permission.PRICE_LIST_PUBLISH)
    locked(tx, sa.select(Company).where(Company.id == actor.company_id))
    price_list = price_list_by_version(tx, version)
    why = guard_reason(reason)
    numbers = tuple(dict.fromkeys(fold_model_number(text) for text in model_numbers if text.strip()))
    if not 0 < len(numbers) <= MAX_MODEL_NUMBERS:
        raise Refusal(
            "invalid_input", f"Name 1 to {MAX_MODEL_NUMBERS} model numbers at once.", "model_numbers"
        )
    items = items_by_model_number(tx, price_list, numbers)
    problems = tuple(
        Problem("model_number_unknown", f"{number} is not on price list {version}.", "model_numbers")
        for number in numbers
        if number not in items
    )
    if problems:
        raise Refusal(problems[0].code, problems[0].message, "model_numbers", problems=problems)
    before = {
        row.model_number: row
        for row in tx.scalars(
            sa.select(PriceRecall).where(
                PriceRecall.price_list_id == price_list.id, PriceRecall.model_number.in_(numbers)
            )
        )
    }
    new = {
        number: PriceRecall(
            id=new_id(),
            price_list_id=price_list.id,
            model_number=number,
            reason=why,
            recalled_by=actor.user_id,
            recalled_at=at,
        )
        for number in numbers
        if number not in before
    }
    if new:
        tx.add_all(new.values())
        record_event(
            tx,
            actor=actor,
            at=at,
            company_id=actor.company_id,
            event="price.recalled",
            subject=f"price list {version}",
            details={"model_numbers": list(new), "reason": why},
        )
        tx.flush()
    rows = before | new
    return tuple(rows[number] for number in numbers)


def tell_of_recalls(tx: Session, *, actor: Viewer | None, at: datetime, dealer_id: UUID) -> int:
    """Both sides of the dealer's live revisions at a recalled price are told, once; returns how many revisions.

    Live is: waiting for a decision, or approved with units of the line left to order, and not expired. It
    runs once for each dealer after a recall, and again as often as one likes. `actor` None is the worker.
    Each quote is locked first, so that an approval or order under way is seen as it ended. Raises
    Refusal(forbidden).
    """
    if actor is not None:
        guard_permission(actor, Permission.PRICE_LIST_PUBLISH)
    owed = owed_notices(today(tx, at)).where(Revision.dealer_id == dealer_id)
    quote_ids = sorted({row.quote_id for row in tx.execute(owed)})
    quotes: dict[UUID, Quote] = {}
    for quote_id in quote_ids:
        quote = locked(tx, sa.select(Quote).where(Quote.dealer_id == dealer_id, Quote.id == quote_id))
        if quote is not None:
            quotes[quote_id] = quote
    told = 0
    rows = [row for row in tx.execute(owed) if row.quote_id in quotes]
    for (quote_id, number), group in itertools.groupby(rows, lambda row: (row.quote_id, row.number)):
        _tell_both(tx, actor, at, quotes[quote_id], number, list(group))
        told += 1
    return told


def _tell_both(
    tx: Session,
    actor: Viewer | None,
    at: datetime,
    quote: Quote,
    revision_number: int,
    owed: Iterable[sa.Row[UUID, UUID, int, str, UUID]],
) -> None:
    rows = list(owed)
    tx.add_all(
        RecallNotice(
            dealer_id=quote.dealer_id,
            quote_id=quote.id,
            revision_number=revision_number,
            recall_id=row.id,
            told_at=at,
        )
        for row in rows
    )
    revision = tx.get_one(Revision, (quote.dealer_id, quote.id, revision_number), populate_existing=True)
    ref = quote_ref(tx, quote)
    numbers = sorted({row.model_number for row in rows})
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=quote.dealer_id,
        event="revision.price_recalled",
        subject=ref,
        details={"revision": revision_number, "model_numbers": numbers},
    )
    is_approved = revision.state is RevisionState.APPROVED
    project = project_of(tx, quote)
    reasons = sorted(
        set(tx.scalars(sa.select(PriceRecall.reason).where(PriceRecall.id.in_([row.id for row in rows]))))
    )
    text = mails.price_recalled(ref, revision_number, project, numbers, reasons, is_approved=is_approved)
    tell_dealer(tx, at, quote.dealer_id, text)
    tell_account(tx, at, quote.account_id, text)


def guard_not_recalled(
    tx: Session,
    *,
    price_list_id: UUID | None,
    lines: Sequence[ContentLine],
    field: Callable[[int, ContentLine], str],
    advice: str,
) -> None:
    """Guard: no line is at a recalled price of this list.

    `field` names the input of a line, `advice` says what to do. Raises Refusal(price_recalled) with one
    problem a line.
    """
    reasons = recalled_lines(tx, price_list_id, lines)
    problems = tuple(
        Problem("price_recalled", _sentence(line, reasons[line.line_id], advice), field(index, line))
        for index, line in enumerate(lines)
        if line.line_id in reasons
    )
    if problems:
        raise Refusal("price_recalled", problems[0].message, problems[0].field, problems=problems)


def _sentence(line: ContentLine, reason: str, advice: str) -> str:
    where = f"{line.model_number}, {line.room}" if line.room else line.model_number
    return f"{where}: the program recalled this list price ({reason.rstrip('.')}). {advice}"
