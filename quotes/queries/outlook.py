"""The credit dealers may still get: what is approved and not ordered, and what waiting revisions would add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from ledger.queries.projection import Outlook, Prospect
from quotes.models.quotes import Revision
from quotes.queries.work import WorkRow, work_rows
from quotes.states import RevisionState
from referral.models import Referral
from referral.states import ReferralState

LIVE_REVISIONS = (RevisionState.SUBMITTED, RevisionState.APPROVED)


def live_work(tx: Session, *, day: date, dealer_ids: Sequence[UUID]) -> tuple[WorkRow, ...]:
    """Return the dealers' revisions that wait or are approved and have not expired, oldest submission first.

    Those of a project that is closed are not among them: nothing is approved or ordered of it any more.
    """
    return work_rows(
        tx,
        day,
        [
            Revision.dealer_id.in_(dealer_ids),
            Revision.state.in_(LIVE_REVISIONS),
            Revision.expires_on >= day,
            Referral.state == ReferralState.ACCEPTED,
        ],
    )


def credit_outlook(tx: Session, *, day: date, dealer_ids: Sequence[UUID]) -> Mapping[UUID, Outlook]:
    """Return the outlook of each dealer on a day, at the prices of the quotes and the rates of that day."""
    live = live_work(tx, day=day, dealer_ids=dealer_ids)
    return {
        dealer_id: outlook_of([row for row in live if row.dealer_id == dealer_id]) for dealer_id in dealer_ids
    }


def outlook_of(live: Sequence[WorkRow]) -> Outlook:
    """Return the outlook that a dealer's live revisions make, net of what is ordered of them.

    A waiting revision of a quote that is approved already would take the approved one's place, so it adds
    only what it changes.
    """
    approved = [row for row in live if row.state == "approved" and row.remaining_units]
    waiting = [row for row in live if row.state == "submitted"]
    committed = {row.ref: row.credit_cents for row in approved}
    return Outlook(
        committed=Prospect(sum(committed.values()), len(approved), _first_end(approved)),
        forecast=Prospect(
            sum(row.credit_cents - committed.get(row.ref, 0) for row in waiting),
            len(waiting),
            _first_end(waiting),
        ),
    )


def _first_end(rows: Sequence[WorkRow]) -> date | None:
    return min((row.expires_on for row in rows if row.expires_on is not None), default=None)
