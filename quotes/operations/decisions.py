"""The dealer's decision on a submitted revision: approve, ask for changes, decline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.operations.evidence import witness
from ledger.states import EvidenceKind
from quotes.models.quotes import Approval, Quote, Remark, Revision, RevisionLine
from quotes.operations.mails import project_of, tell_account
from quotes.operations.quotes import guard_project_stands, locked_quote, locked_revision
from quotes.operations.recalls import guard_not_recalled
from quotes.operations.services import agree_to, newest_offer
from quotes.operations.submissions import supersede_before
from quotes.queries.content import content_lines, quote_ref
from quotes.queries.order_digests import approval_digest
from quotes.rules import mails
from quotes.rules.content import ATTESTATION_VERSION, ATTESTATIONS, canonical_json, is_expired
from quotes.states import REVISION_MOVES, RevisionState, ServicesState, Side
from referral.errors import Refusal
from referral.ids import new_id
from referral.operations.delegations import guard_decider
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.companies import check_account_number
from referral.queries.settings import today
from referral.states import next_state
from referral.text import fold, fold_account_number

NO_REMARKS: Mapping[UUID, str] = MappingProxyType({})


@dataclass(frozen=True)
class Evidence:
    """Where an approval came from: network address, browser string, sign-in."""

    address: str
    browser: str
    login: str


def _decidable(
    tx: Session, actor: Viewer, at: datetime, ref: str, revision_number: int, digest: str
) -> tuple[Quote, Revision, UUID | None]:
    """Lock and guard what a decision is about; the digest is of the content the person saw.

    Returns, last, the approver for whom a delegate decides.
    """
    guard_permission(actor, Permission.QUOTE_DECIDE)
    quote = locked_quote(tx, actor, ref)
    if quote.dealer_id != actor.company_id or not actor.acts_as(CompanyKind.DEALER):
        raise Refusal("forbidden")
    lender = guard_decider(tx, actor, at)
    revision = locked_revision(tx, quote, revision_number)
    if revision.state is RevisionState.DRAFT:
        raise Refusal("not_found")
    if revision.state is RevisionState.SUPERSEDED:
        raise Refusal("stale_revision")
    if digest != revision.digest:
        raise Refusal("digest_mismatch")
    return quote, revision, lender


def approve_revision(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    revision_number: int,
    digest: str,
    offer_number: int | None = None,
    attested: frozenset[str],
    typed_account_number: str,
    typed_name: str,
    evidence: Evidence,
) -> Approval:
    """The revision is approved, on the four attestations, by this person; the account's services are agreed.

    `offer_number` is the newest offer for the services as it was read; None is the first, which the digest
    covers. Where the newest is the dealer's own, services stay to be agreed by the account. A delegate
    approves on behalf of who lent the right. Approving twice is one approval: the first is returned. An
    earlier approved revision is superseded. Raises Refusal(forbidden), (delegation_expired), (not_found),
    (stale_revision), (digest_mismatch) also for another offer, (not_pending), (referral_closed),
    (quote_expired), (account_number_missing), (account_number_unknown_for_dealer),
    (attestation_missing), (typed_account_mismatch), (typed_name_mismatch), and (price_recalled) with one
    problem for each line at a recalled price: a recall that comes after this stops the order, not the approval.
    Program rules, section 5.
    """
    quote, revision, lender = _decidable(tx, actor, at, ref, revision_number, digest)
    before = tx.get(Approval, (quote.dealer_id, quote.id, revision_number))
    if before is not None:
        return before
    if revision.state is not RevisionState.SUBMITTED:
        raise Refusal("not_pending", details={"state": revision.state.value})
    guard_project_stands(tx, quote)
    day = today(tx, at)
    if is_expired(revision.expires_on, day):
        raise Refusal("quote_expired")
    offer = newest_offer(tx, quote, revision)
    if offer is not None and offer.number != (offer_number or 1):
        raise Refusal("digest_mismatch")
    check_account_number(tx, dealer_id=quote.dealer_id, number=revision.account_number, day=day)
    guard_not_recalled(
        tx,
        price_list_id=revision.price_list_id,
        lines=content_lines(tx, quote, revision_number),
        field=lambda _, line: f"line-{line.line_id}",
        advice="Ask for changes: the account quotes it again in the next revision.",
    )
    missing = [name for name in ATTESTATIONS if name not in attested]
    if missing:
        raise Refusal("attestation_missing", field=missing[0])
    if fold_account_number(typed_account_number) != fold_account_number(revision.account_number):
        raise Refusal("typed_account_mismatch", field="typed_account_number")
    if fold(typed_name) != fold(actor.name):
        raise Refusal("typed_name_mismatch", field="typed_name")
    approval = Approval(
        dealer_id=quote.dealer_id,
        quote_id=quote.id,
        revision_number=revision_number,
        digest=digest,
        attestation_version=ATTESTATION_VERSION,
        attestation_text=canonical_json(dict(ATTESTATIONS)),
        typed_account_number=typed_account_number.strip(),
        typed_name=typed_name.strip(),
        approved_by=actor.user_id,
        on_behalf_of=lender,
        approved_at=at,
        address=evidence.address,
        browser=evidence.browser,
        login=evidence.login,
        **dict.fromkeys(ATTESTATIONS, True),
    )
    tx.add(approval)
    if revision.services_state is ServicesState.PROPOSED and offer and offer.side is Side.ACCOUNT:
        agree_to(tx, actor=actor, at=at, quote=quote, revision=revision, offer=offer, lender=lender)
    _settle(tx, actor, at, quote, revision, lender, "approve", "")
    supersede_before(tx, quote, revision, {RevisionState.APPROVED})
    tx.flush()
    witness(
        tx,
        actor=actor,
        at=at,
        dealer_id=quote.dealer_id,
        kind=EvidenceKind.APPROVAL,
        subject=f"{ref}.{revision_number}",
        content_digest=approval_digest(approval),
    )
    return approval


def request_changes(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    revision_number: int,
    digest: str,
    reason: str,
    remarks: Mapping[UUID, str] = NO_REMARKS,
) -> Revision:
    """The revision goes back to the account with a reason and remarks on single lines; the same twice is once.

    Raises Refusal(forbidden), (delegation_expired), (not_found), (stale_revision), (digest_mismatch),
    (referral_closed), (not_pending), (reason_required), (not_on_revision).
    """
    quote, revision, lender = _decidable(tx, actor, at, ref, revision_number, digest)
    said = {line_id: text.strip() for line_id, text in remarks.items() if text.strip()}
    if _is_said(actor, revision, RevisionState.CHANGES_REQUESTED, reason) and said == _asked(tx, revision):
        return revision
    guard_project_stands(tx, quote)
    if not reason.strip() and not said:
        raise Refusal("reason_required", field="reason")
    lines = set(
        tx.scalars(
            sa.select(RevisionLine.line_id).where(
                RevisionLine.dealer_id == quote.dealer_id,
                RevisionLine.quote_id == quote.id,
                RevisionLine.revision_number == revision_number,
            )
        )
    )
    if not said.keys() <= lines:
        raise Refusal("not_on_revision")
    _settle(tx, actor, at, quote, revision, lender, "request_changes", reason.strip(), len(said))
    tx.add_all(
        Remark(
            dealer_id=quote.dealer_id,
            id=new_id(),
            quote_id=quote.id,
            revision_number=revision_number,
            line_id=line_id,
            is_request=True,
            text=text,
            made_by=actor.user_id,
            made_at=at,
        )
        for line_id, text in said.items()
    )
    return revision


def decline_revision(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, revision_number: int, digest: str, reason: str
) -> Revision:
    """The dealer does not want this revision; declining twice is once.

    Raises Refusal(forbidden), (delegation_expired), (not_found), (stale_revision), (digest_mismatch),
    (referral_closed), (not_pending), (reason_required).
    """
    quote, revision, lender = _decidable(tx, actor, at, ref, revision_number, digest)
    if _is_said(actor, revision, RevisionState.DECLINED, reason):
        return revision
    guard_project_stands(tx, quote)
    guard_reason(reason)
    _settle(tx, actor, at, quote, revision, lender, "decline", reason.strip())
    return revision


def _is_said(actor: Viewer, revision: Revision, state: RevisionState, reason: str) -> bool:
    """Say whether this person decided just so before: a form that is sent twice decides once."""
    decided = (revision.state, revision.decided_by, revision.decision_reason)
    return decided == (state, actor.user_id, reason.strip())


def _asked(tx: Session, revision: Revision) -> dict[UUID, str]:
    """Return what was asked for at lines when the revision was sent back."""
    rows = tx.scalars(
        sa.select(Remark).where(
            Remark.dealer_id == revision.dealer_id,
            Remark.quote_id == revision.quote_id,
            Remark.revision_number == revision.number,
            Remark.is_request,
        )
    )
    return {row.line_id: row.text for row in rows if row.line_id is not None}


_EVENTS = {
    "approve": "revision.approved",
    "request_changes": "revision.sent_back",
    "decline": "revision.declined",
}


def _settle(
    tx: Session,
    actor: Viewer,
    at: datetime,
    quote: Quote,
    revision: Revision,
    lender: UUID | None,
    verb: str,
    reason: str,
    remarks: int = 0,
) -> None:
    ref = quote_ref(tx, quote)
    revision.state = next_state(REVISION_MOVES, verb, revision.state, "not_pending")
    revision.decided_by, revision.decided_at, revision.decision_reason = actor.user_id, at, reason
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=quote.dealer_id,
        event=_EVENTS[verb],
        subject=ref,
        details={"revision": revision.number, "digest": revision.digest, "reason": reason}
        | ({} if lender is None else {"on_behalf_of": str(lender)}),
    )
    project = project_of(tx, quote)
    if verb == "approve":
        text = mails.approved(ref, revision.number, project, by=actor.name, last_day=revision.expires_on)
    elif verb == "decline":
        text = mails.declined(ref, revision.number, project, by=actor.name, reason=reason)
    else:
        text = mails.changes_asked(
            ref, revision.number, project, by=actor.name, reason=reason, remarks=remarks
        )
    tell_account(tx, at, quote.account_id, text)
