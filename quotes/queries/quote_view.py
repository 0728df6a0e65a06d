"""Everything the page of one quote shows: the revision, what changed, and what was said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Approval, Quote
from quotes.queries.design_files import DesignFileRow, design_files_of
from quotes.queries.hints import HintRow, revision_hints
from quotes.queries.quotes import QuotePage, quote_page
from quotes.queries.remarks import RemarkRow, remark_counts, thread_of
from quotes.queries.services import ServicesTalk, services_talk
from quotes.states import RevisionState
from referral.permissions import Viewer


@dataclass(frozen=True)
class QuoteView:
    """One revision of a quote with all that its page shows beside it."""

    page: QuotePage
    superseded_by: int | None
    """The revision that took its place, where it is superseded."""
    thread: tuple[RemarkRow, ...]
    """What both sides said about it, oldest first."""
    other_threads: Mapping[int, int]
    """How many remarks the viewer can read on each of the other revisions."""
    talk: ServicesTalk
    """The offers for its services, and what is agreed."""
    design_files: tuple[DesignFileRow, ...]
    """The files its lines came from."""
    hints: tuple[HintRow, ...]
    """What it is short of by its price list, and what the account says about it."""

    @property
    def remarks_at(self) -> Mapping[UUID, tuple[RemarkRow, ...]]:
        """The remarks at lines, by line id."""
        found: dict[UUID, list[RemarkRow]] = {}
        for remark in self.thread:
            if remark.line_id is not None:
                found.setdefault(remark.line_id, []).append(remark)
        return {line_id: tuple(remarks) for line_id, remarks in found.items()}


def quote_view(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    ref: str,
    revision_number: int | None = None,
    against: int | None = None,
) -> QuoteView:
    """Return a revision, the newest visible one by default, with its changes against an earlier one.

    `against` None compares with the last one submitted before. Raises Refusal(not_found), also for a
    revision to compare with that this viewer may not see or that is not an earlier one.
    """
    page = quote_page(tx, viewer=viewer, at=at, ref=ref, revision_number=revision_number, against=against)
    head = page.revision
    quote = tx.get_one(Quote, (head.dealer_id, head.quote_id))
    counts = remark_counts(tx, dealer_id=head.dealer_id, quote_id=head.quote_id)
    others = {row.number for row in page.revisions} - {head.number}
    return QuoteView(
        page=page,
        superseded_by=_superseded_by(tx, page),
        thread=thread_of(tx, dealer_id=head.dealer_id, quote_id=head.quote_id, revision_number=head.number),
        design_files=design_files_of(
            tx, dealer_id=head.dealer_id, quote_id=head.quote_id, revision_number=head.number
        ),
        talk=services_talk(tx, viewer=viewer, at=at, quote=quote, revision=head, is_closed=page.is_closed),
        hints=revision_hints(tx, page),
        other_threads={number: counts[number] for number in sorted(others & counts.keys())},
    )


def _superseded_by(tx: Session, page: QuotePage) -> int | None:
    """Return the revision that took this one's place.

    An approved one holds until a later one is approved, others until the next one is submitted.
    """
    head = page.revision
    if head.state is not RevisionState.SUPERSEDED:
        return None
    if page.approval is not None:
        return tx.scalar(
            sa.select(sa.func.min(Approval.revision_number)).where(
                Approval.dealer_id == head.dealer_id,
                Approval.quote_id == head.quote_id,
                Approval.revision_number > head.number,
            )
        )
    return min((row.number for row in page.revisions if row.number > head.number), default=None)
