"""Design files of a draft: attached, carried on to the next revision, removed while the draft is one."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.bills import DesignFile
from quotes.models.quotes import Quote, Revision
from quotes.operations.quotes import (
    guard_account_side,
    guard_project_stands,
    locked_quote,
    locked_revision,
)
from quotes.states import RevisionState
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Upload
from referral.operations.records import guard_permission, keep_upload, record_event
from referral.permissions import Permission, Viewer
from referral.queries.records import page_key

DESIGN_FILE = "design_file"
"""The purpose of an upload that is attached."""
MAX_DESIGN_FILES = 20
MAX_DESIGN_BYTES = 20_000_000


def attach_design_file(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, filename: str, content: bytes
) -> DesignFile:
    """The draft has this file beside its lines, with its SHA-256.

    A file that is attached already, byte by byte under the same name, stays attached once. Raises
    Refusal(forbidden), (not_found), (referral_closed), (revision_immutable), (invalid_input) for an empty file
    or too many, (file_too_large_or_not_a_workbook).
    """
    guard_permission(actor, Permission.QUOTE_BUILD)
    quote = locked_quote(tx, actor, ref)
    guard_account_side(actor, quote)
    guard_project_stands(tx, quote)
    revision = locked_revision(tx, quote, quote.latest_revision)
    if not content:
        raise Refusal("invalid_input", "This file is empty.", "file")
    if len(content) > MAX_DESIGN_BYTES:
        words = f"A design file has at most {MAX_DESIGN_BYTES // 1_000_000} MB."
        raise Refusal("file_too_large_or_not_a_workbook", words, "file")
    upload = keep_upload(tx, actor=actor, at=at, purpose=DESIGN_FILE, filename=filename, content=content)
    tx.flush()
    file = attach_upload(tx, actor=actor, at=at, ref=ref, quote=quote, revision=revision, upload=upload)
    if file.upload_id != upload.id:
        tx.delete(upload)
    return file


def attach_upload(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, quote: Quote, revision: Revision, upload: Upload
) -> DesignFile:
    """A kept upload of the account is a design file of the locked draft.

    Raises Refusal(revision_immutable), (invalid_input) for too many.
    """
    if revision.state is not RevisionState.DRAFT:
        raise Refusal("revision_immutable")
    there = tx.scalars(
        sa.select(DesignFile).where(
            DesignFile.dealer_id == quote.dealer_id,
            DesignFile.quote_id == quote.id,
            DesignFile.revision_number == revision.number,
        )
    ).all()
    for file in there:
        if (file.sha256, file.filename) == (upload.sha256, upload.filename):
            return file
    if len(there) >= MAX_DESIGN_FILES:
        raise Refusal("invalid_input", f"A revision has at most {MAX_DESIGN_FILES} design files.", "file")
    file = DesignFile(
        dealer_id=quote.dealer_id,
        id=new_id(),
        quote_id=quote.id,
        revision_number=revision.number,
        account_id=upload.company_id,
        upload_id=upload.id,
        filename=upload.filename,
        sha256=upload.sha256,
        size=len(upload.content),
        added_by=actor.user_id,
        added_at=at,
    )
    tx.add(file)
    _record(tx, actor, at, quote, ref, "design_file.attached", file)
    return file


def remove_design_file(tx: Session, *, actor: Viewer, at: datetime, ref: str, file_id: str) -> None:
    """The draft has this file no more; earlier revisions keep it.

    Raises Refusal(forbidden), (not_found), (referral_closed), (revision_immutable).
    """
    guard_permission(actor, Permission.QUOTE_BUILD)
    quote = locked_quote(tx, actor, ref)
    guard_account_side(actor, quote)
    guard_project_stands(tx, quote)
    revision = locked_revision(tx, quote, quote.latest_revision)
    file = tx.get(DesignFile, (quote.dealer_id, page_key(file_id)))
    if file is None or file.quote_id != quote.id:
        raise Refusal("not_found")
    if file.revision_number != revision.number or revision.state is not RevisionState.DRAFT:
        raise Refusal("revision_immutable")
    tx.delete(file)
    _record(tx, actor, at, quote, ref, "design_file.removed", file)


def _record(
    tx: Session, actor: Viewer, at: datetime, quote: Quote, ref: str, event: str, file: DesignFile
) -> None:
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=quote.dealer_id,
        event=event,
        subject=ref,
        details={"revision": file.revision_number, "file": file.filename, "sha256": file.sha256},
    )
