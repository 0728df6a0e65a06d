"""Recomputing claims: each is what its evidence and the audit trail say, and its answer follows from its facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.evidence import Evidence
from ledger.states import EvidenceKind
from referral.ids import PublicNumber
from referral.models import AuditEvent, Company
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource
from warranty.queries.claims import opened_details
from warranty.queries.digests import claim_digest
from warranty.rules.answers import holds, read_answer
from warranty.states import ClaimState, Verdict

_EVENTS = ("claim.opened", "claim.withdrawn", "claim.fulfilled")
_Told = Mapping[tuple[str, str], AuditEvent]


def claim_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each claim that is not what was recorded of it, or whose answer does not hold.

    Checked: each decided claim stands in its dealer's evidence with the digest over its report and its
    answer, and no other does; the answer can be read, is about this claim and follows from the facts kept with
    it; its state fits; what was opened, withdrawn and fulfilled is what the audit trail tells; a replacement is
    of the same order line.
    """
    for dealer in tx.scalars(sa.select(Company).where(Company.is_dealer).order_by(Company.id)).all():
        claims = tx.scalars(sa.select(Claim).where(Claim.dealer_id == dealer.id).order_by(Claim.number)).all()
        kept = _evidence(tx, dealer)
        told = _told(tx, dealer)
        sources = _sources(tx, dealer, claims)
        for claim in claims:
            ref = str(PublicNumber("C", dealer.code, claim.number))
            faults = [*_faults_of(claim, kept.pop(ref, None), sources), *_trail_faults(claim, ref, told)]
            yield from (f"claim {ref}: {fault}" for fault in faults)
        yield from (f"claim {ref}: is in the evidence, but not decided" for ref in kept)
        there = {str(PublicNumber("C", dealer.code, claim.number)) for claim in claims}
        for ref in sorted({ref for event, ref in told if event == "claim.opened"} - there):
            yield f"claim {ref}: is in the audit trail, but not there"


def _evidence(tx: Session, dealer: Company) -> dict[str, str]:
    rows = tx.execute(
        sa.select(Evidence.subject, Evidence.content_digest).where(
            Evidence.dealer_id == dealer.id, Evidence.kind == EvidenceKind.CLAIM
        )
    )
    return {row.subject: row.content_digest for row in rows}


def _told(tx: Session, dealer: Company) -> _Told:
    rows = tx.scalars(
        sa.select(AuditEvent)
        .where(AuditEvent.company_id == dealer.id, AuditEvent.event.in_(_EVENTS))
        .order_by(AuditEvent.id)
    )
    return {(row.event, row.subject): row for row in rows}


def _sources(
    tx: Session, dealer: Company, claims: Sequence[Claim]
) -> dict[object, tuple[object, object, object, object]]:
    """Return the sources of claims and their replacements: (order, line, account, replacement number) by id."""
    wanted = (
        sa.select(Claim.source_id)
        .where(Claim.dealer_id == dealer.id)
        .union(
            sa.select(Claim.new_source_id).where(
                Claim.dealer_id == dealer.id, Claim.new_source_id.is_not(None)
            )
        )
    )
    if not claims:
        return {}
    rows = tx.execute(
        sa.select(
            InstalledSource.id,
            InstalledSource.order_id,
            InstalledSource.line_id,
            InstalledSource.account_id,
            InstalledSource.replacement_number,
        ).where(InstalledSource.dealer_id == dealer.id, InstalledSource.id.in_(wanted))
    )
    return {row.id: (row.order_id, row.line_id, row.account_id, row.replacement_number) for row in rows}


def _faults_of(
    claim: Claim, evidence: str | None, sources: Mapping[object, tuple[object, object, object, object]]
) -> Iterator[str]:
    source = sources.get(claim.source_id)
    if source is None or (source[0], source[2]) != (claim.order_id, claim.account_id):
        yield "is not of the order and the account of its source"
        return
    if claim.new_source_id is not None:
        new = sources.get(claim.new_source_id)
        if new != (*source[:3], claim.replacement_number):
            yield "its replacement is not of the same order line"
    if not _state_fits(claim):
        yield f"its state does not fit: {claim.state.value}"
    if not claim.answer:
        if evidence is not None:
            yield "is in the evidence, but not decided"
        return
    digest = claim_digest(claim)
    if claim.answer_digest != digest:
        yield "does not recompute to its digest"
    if evidence != digest:
        yield "is not what the evidence of its day says"
    try:
        said = read_answer(claim.answer)
    except ValueError as error:
        yield f"its answer cannot be read: {error}"
        return
    asked = (said.as_of, said.failed_on, said.reported_on, said.coverage.verdict)
    if asked != (claim.decided_at, claim.failed_on, claim.reported_on, claim.verdict):
        yield "its answer is not about this claim"
    if not holds(said):
        yield "its answer does not follow from its facts"


def _state_fits(claim: Claim) -> bool:
    """Say whether the columns say what the state says."""
    is_decided = claim.answer != "" and claim.verdict is not None
    is_closed = claim.closed_at is not None
    is_accepted = is_decided and (claim.verdict is Verdict.COVERED) is not claim.is_goodwill
    has_new = claim.new_source_id is not None and claim.replacement_number is not None
    match claim.state:
        case ClaimState.OPEN:
            return not is_decided and not is_closed and not has_new
        case ClaimState.ACCEPTED:
            return is_accepted and not is_closed and not has_new
        case ClaimState.REFUSED:
            is_refused = claim.verdict is Verdict.NOT_COVERED and not claim.is_goodwill
            return is_decided and is_refused and claim.reason != "" and not is_closed and not has_new
        case ClaimState.FULFILLED:
            return is_accepted and is_closed and has_new is (claim.closing_words == "")
        case ClaimState.WITHDRAWN:
            return is_closed and claim.closing_words != "" and not has_new


def _trail_faults(claim: Claim, ref: str, told: _Told) -> Iterator[str]:
    opened = told.get(("claim.opened", ref))
    if opened is None or (opened.actor_id, opened.at, opened.details) != (
        claim.opened_by,
        claim.opened_at,
        opened_details(claim),
    ):
        yield "was opened otherwise than the audit trail tells"
    closing = next(
        (event for verb in ("withdrawn", "fulfilled") if (event := told.get((f"claim.{verb}", ref)))), None
    )
    state = f"claim.{claim.state.value}"
    if closing is None:
        if claim.closed_at is not None:
            yield "is closed, but the audit trail does not tell it"
    elif (closing.event, closing.actor_id, closing.at, closing.details["words"]) != (
        state,
        claim.closed_by,
        claim.closed_at,
        claim.closing_words,
    ):
        yield "was closed otherwise than the audit trail tells"
