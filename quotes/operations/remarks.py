"""What both sides say about a submitted revision and its lines."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Quote, Remark, RevisionLine
from quotes.operations.mails import project_of, tell_account, tell_dealer
from quotes.operations.quotes import locked_quote, locked_revision
from quotes.queries.quotes import sees_drafts
from quotes.rules import mails
from quotes.states import RevisionState
from referral.errors import Refusal
from referral.ids import new_id
from referral.operations.records import guard_permission, record_event
from referral.permissions import CompanyKind, Permission, Viewer

REMARK_LENGTH = 2_000


def add_remark(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    revision_number: int,
    line_id: UUID | None,
    text: str,
) -> Remark:
    """A side has said this about a submitted revision, or at one of its lines; the other side is told.

    Nothing about the revision changes. The same words at the same place, sent again as this person's last
    remark, are that remark. Raises Refusal(forbidden), (not_found), also for a draft, (invalid_input) for no
    words or too many, (not_on_revision) for a line of another revision.
    """
    guard_permission(actor, Permission.QUOTE_REMARK)
    quote = locked_quote(tx, actor, ref)
    is_dealer = actor.acts_as(CompanyKind.DEALER) and actor.company_id == quote.dealer_id
    if not (is_dealer or sees_drafts(actor, quote)):
        raise Refusal("forbidden")
    revision = locked_revision(tx, quote, revision_number)
    if revision.state is RevisionState.DRAFT:
        raise Refusal("not_found")
    said = text.strip()
    if not 0 < len(said) <= REMARK_LENGTH:
        raise Refusal("invalid_input", f"Write 1 to {REMARK_LENGTH:,} characters.", "text")
    line = None if line_id is None else _line(tx, quote, revision_number, line_id)
    last = _last_remark(tx, actor, quote, revision_number)
    if last is not None and (last.line_id, last.text) == (line_id, said):
        return last
    remark = Remark(
        dealer_id=quote.dealer_id,
        id=new_id(),
        quote_id=quote.id,
        revision_number=revision_number,
        line_id=line_id,
        is_request=False,
        text=said,
        made_by=actor.user_id,
        made_at=at,
    )
    tx.add(remark)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=quote.dealer_id,
        event="revision.remarked",
        subject=ref,
        details={"revision": revision_number, "line": None if line_id is None else str(line_id)},
    )
    about = "the whole" if line is None else ", ".join(filter(None, (line.model_number, line.room)))
    mail = mails.remarked(ref, revision_number, project_of(tx, quote), by=actor.name, about=about, text=said)
    if is_dealer:
        tell_account(tx, at, quote.account_id, mail)
    else:
        tell_dealer(tx, at, quote.dealer_id, mail)
    return remark


def _line(tx: Session, quote: Quote, revision_number: int, line_id: UUID) -> RevisionLine:
    line = tx.get(RevisionLine, (quote.dealer_id, quote.id, revision_number, line_id))
    if line is None:
        raise Refusal("not_on_revision", "This line is not on the revision.", "line_id")
    return line


def _last_remark(tx: Session, actor: Viewer, quote: Quote, revision_number: int) -> Remark | None:
    """Return the last remark on this revision if this person made it."""
    last = tx.scalars(
        sa.select(Remark)
        .where(
            Remark.dealer_id == quote.dealer_id,
            Remark.quote_id == quote.id,
            Remark.revision_number == revision_number,
        )
        .order_by(Remark.made_at.desc(), Remark.id.desc())
        .limit(1)
    ).first()
    return last if last is not None and last.made_by == actor.user_id and not last.is_request else None
