"""Bearing witness: the digest of what became true, chained per dealer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.evidence import Evidence, EvidenceHead
from ledger.rules.digests import CHAIN_START, evidence_digest
from ledger.states import EvidenceKind
from referral.db import locked
from referral.permissions import Viewer


def witness(
    tx: Session,
    *,
    actor: Viewer | None,  # noqa: ARG001 - every write says who; the content's digest covers it
    at: datetime,
    dealer_id: UUID,
    kind: EvidenceKind,
    subject: str,
    content_digest: str,
) -> Evidence:
    """The dealer's evidence has one row more: that `subject` had this content. Locks the dealer's head.

    A checkpoint over the heads proves later that none of it was taken away.
    """
    head = locked(tx, sa.select(EvidenceHead).where(EvidenceHead.dealer_id == dealer_id))
    if head is None:
        head = EvidenceHead(dealer_id=dealer_id, sequence=0, digest=CHAIN_START)
        tx.add(head)
        tx.flush()
    sequence = head.sequence + 1
    row = Evidence(
        dealer_id=dealer_id,
        sequence=sequence,
        kind=kind,
        subject=subject,
        content_digest=content_digest,
        recorded_at=at,
        digest=evidence_digest(
            previous=head.digest,
            dealer_id=dealer_id,
            sequence=sequence,
            kind=kind,
            subject=subject,
            content_digest=content_digest,
            recorded_at=at,
        ),
    )
    tx.add(row)
    tx.flush()
    head.sequence, head.digest = sequence, row.digest
    tx.flush()
    return row
