"""Reminding of revisions that expire soon: once each, of what waits for a decision or for an order."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Quote
from quotes.models.recalls import ExpiryReminder
from quotes.operations.mails import project_of, tell_account, tell_dealer
from quotes.queries.reminders import expiring_of
from quotes.queries.work import WorkRow
from quotes.rules import mails
from quotes.states import RevisionState
from referral.db import locked
from referral.ids import parse_public_number
from referral.operations.records import record_event
from referral.permissions import Viewer


def remind_of_expiry(tx: Session, *, actor: Viewer | None, at: datetime, dealer_id: UUID) -> int:
    """Each revision of the dealer in its last days is reminded of, once; returns how many now were.

    What waits for a decision goes to the dealer's approvers and whom they lend it to, what is approved and
    not wholly ordered to the account's builders. The quotes are locked, so that a decision or an order under
    way is seen as it ended, and of two workers the second finds nothing left. `actor` None is the worker.
    """
    numbers = {_number(row) for row in expiring_of(tx, at=at, dealer_id=dealer_id).rows}
    if not numbers:
        return 0
    found = tx.execute(
        sa.select(Quote.id, Quote.number)
        .where(Quote.dealer_id == dealer_id, Quote.number.in_(numbers))
        .order_by(Quote.id)
    ).all()
    quotes = {
        number: locked(tx, sa.select(Quote).where(Quote.dealer_id == dealer_id, Quote.id == quote_id))
        for quote_id, number in found
    }
    tx.expire_all()
    reminded = 0
    expiring = expiring_of(tx, at=at, dealer_id=dealer_id)
    for row in expiring.rows:
        quote = quotes.get(_number(row))
        if quote is not None:
            is_last_day = row.expires_on == expiring.day
            _remind(tx, actor, at, quote, row, is_last_day)
            reminded += 1
    return reminded


def _number(row: WorkRow) -> int:
    parsed = parse_public_number(row.ref, "Q")
    return 0 if parsed is None else parsed.number


def _remind(
    tx: Session, actor: Viewer | None, at: datetime, quote: Quote, row: WorkRow, is_last_day: bool
) -> None:
    """The reminder is written down and its mail owed; on the very last day it does not wait for a digest."""
    tx.add(
        ExpiryReminder(
            dealer_id=quote.dealer_id, quote_id=quote.id, revision_number=row.revision, reminded_at=at
        )
    )
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=quote.dealer_id,
        event="revision.reminded",
        subject=row.ref,
        details={"revision": row.revision},
    )
    project = project_of(tx, quote)
    if row.state == RevisionState.SUBMITTED.value:
        text = mails.expiring(row.ref, row.revision, project, last_day=row.expires_on)
        tell_dealer(tx, at, quote.dealer_id, text, is_digestible=not is_last_day)
    else:
        text = mails.expiring_unordered(
            row.ref, row.revision, project, units=row.remaining_units, last_day=row.expires_on
        )
        tell_account(tx, at, quote.account_id, text, is_digestible=not is_last_day)
