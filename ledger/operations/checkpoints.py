"""Taking a checkpoint over all heads."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.evidence import Checkpoint
from ledger.queries.checkpoints import all_heads
from ledger.queries.credit import program_company
from ledger.rules.checkpoints import CheckpointFile
from ledger.rules.digests import CHAIN_START
from referral.errors import Refusal
from referral.operations.records import guard_permission, record_event
from referral.permissions import Permission, Viewer
from referral.signing import Signer


def take_checkpoint(tx: Session, *, actor: Viewer | None, at: datetime, signer: Signer) -> CheckpointFile:
    """The next checkpoint is kept, signed, chained to the one before; returns its file to keep elsewhere.

    `actor` is None for the command line. Raises Refusal(forbidden), (not_found) before there is a program.
    """
    if actor is not None:
        guard_permission(actor, Permission.CREDIT_EXPORT)
    company = program_company(tx)
    if company is None:
        raise Refusal("not_found")
    last = tx.scalars(sa.select(Checkpoint).order_by(Checkpoint.number.desc()).limit(1)).one_or_none()
    heads = all_heads(tx)
    said = CheckpointFile(
        number=1 if last is None else last.number + 1,
        taken_at=at if last is None else max(at, last.taken_at),
        previous_digest=CHAIN_START if last is None else last.digest,
        public_key=signer.public_key,
        signature="",
        heads=heads,
    )
    digest = said.digest
    signature = signer.sign(digest)
    tx.add(
        Checkpoint(
            number=said.number,
            taken_at=said.taken_at,
            previous_digest=said.previous_digest,
            heads_digest=heads.digest,
            accounts=len(heads.accounts),
            entries=heads.entries,
            evidence=heads.evidence_rows,
            digest=digest,
            public_key=said.public_key,
            signature=signature,
        )
    )
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=company.id,
        event="checkpoint.taken",
        subject=said.code,
        details={"entries": heads.entries, "digest": digest},
    )
    return CheckpointFile(
        number=said.number,
        taken_at=said.taken_at,
        previous_digest=said.previous_digest,
        public_key=said.public_key,
        signature=signature,
        heads=heads,
    )
