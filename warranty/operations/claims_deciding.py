"""Deciding a warranty claim by the coverage answer, which is frozen with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from ledger.operations.evidence import witness
from ledger.states import EvidenceKind
from quotes.operations.mails import tell_dealer
from referral.errors import Refusal
from referral.operations.records import guard_reason, record_event
from referral.permissions import Viewer
from referral.states import next_state
from warranty.models.claims import Claim
from warranty.operations.claims import claim_to_decide, locked_claimed_source, mail_words
from warranty.queries.claims_answers import asked_answer
from warranty.queries.digests import claim_digest
from warranty.rules import mails
from warranty.rules.answers import answer_json
from warranty.rules.coverage import Coverage
from warranty.rules.wording import MEND_WORDS
from warranty.states import CLAIM_MOVES, Verdict


def decide_claim(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, is_accepted: bool, reason: str
) -> Claim:
    """The account accepts or refuses the claim; the coverage answer of this instant is kept for ever.

    What is covered is accepted, and needs no reason. What is not is refused, or accepted as goodwill, with a
    reason either way. The dealer is told by mail. The same decision of the same person is one decision.
    Raises Refusal(forbidden), (not_found), (not_pending), (reason_required), (coverage_undetermined) with
    what lacks in its details, (invalid_input) for refusing what is covered. Program rules, section 9.
    """
    claim = claim_to_decide(tx, actor, ref)
    why = reason.strip()
    if claim.decided_by == actor.user_id and _says(claim, is_accepted, why):
        return claim
    verb = "accept" if is_accepted else "refuse"
    state = next_state(CLAIM_MOVES, verb, claim.state, "not_pending")
    source = locked_claimed_source(tx, claim)
    answer = asked_answer(tx, source, failed_on=claim.failed_on, reported_on=claim.reported_on, as_of=at)
    coverage = answer.coverage
    _guard_determined(coverage, answer.facts.ref)
    is_covered = coverage.verdict is Verdict.COVERED
    if is_covered and not is_accepted:
        raise Refusal("invalid_input", "This is covered: accept it.", "decision")
    if not is_covered:
        guard_reason(why)
    claim.verdict = coverage.verdict
    claim.answer = answer_json(answer)
    claim.is_goodwill = is_accepted and not is_covered
    claim.reason = "" if is_covered else why
    claim.decided_by = actor.user_id
    claim.decided_at = at
    claim.answer_digest = claim_digest(claim)
    claim.state = next_state(CLAIM_MOVES, verb, claim.state, "not_pending")
    tx.flush()
    witness(
        tx,
        actor=actor,
        at=at,
        dealer_id=claim.dealer_id,
        kind=EvidenceKind.CLAIM,
        subject=ref,
        content_digest=claim.answer_digest,
    )
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=claim.dealer_id,
        event=f"claim.{state.value}",
        subject=ref,
        details={"verdict": coverage.verdict.value, "goodwill": claim.is_goodwill, "reason": claim.reason},
    )
    said = mail_words(tx, claim, source)
    make = mails.accepted if is_accepted else mails.refused
    tell_dealer(tx, at, claim.dealer_id, make(said, by=actor.company_name, reason=claim.reason))
    return claim


def _says(claim: Claim, is_accepted: bool, reason: str) -> bool:
    """Say whether the claim was decided just so."""
    was_accepted = claim.verdict is Verdict.COVERED or claim.is_goodwill
    return was_accepted is is_accepted and (claim.verdict is Verdict.COVERED or claim.reason == reason)


def _guard_determined(coverage: Coverage, source_ref: str) -> None:
    """Guard: the answer is yes or no. Raises Refusal(coverage_undetermined)."""
    if coverage.verdict is not Verdict.UNDETERMINED:
        return
    lacking = "" if coverage.lacking is None else coverage.lacking.value
    mend = "" if coverage.lacking is None else MEND_WORDS[coverage.lacking]
    raise Refusal(
        "coverage_undetermined",
        f"Whether this is covered is not determined yet. {coverage.reasons[-1]} {mend}".strip(),
        details={"lacking": lacking, "source": source_ref},
    )
