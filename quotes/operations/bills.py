"""Importing a bill of material: its good rows become lines of the draft, all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.bills import BillMapping
from quotes.models.quotes import Quote, Revision
from quotes.operations.design_files import attach_upload
from quotes.operations.quotes import (
    LineInput,
    ServiceInput,
    guard_account_side,
    locked_quote,
    locked_revision,
    save_draft,
)
from quotes.queries.bills import CheckedBill, GoodLine
from quotes.queries.content import content_lines, content_services, ordered_quantities
from quotes.rules.content import MAX_LINES, ContentLine
from quotes.states import RevisionState, ServicesState
from referral.errors import Refusal
from referral.models import Upload
from referral.operations.records import guard_permission, record_event
from referral.permissions import Permission, Viewer
from referral.text import fold


@dataclass(frozen=True)
class BillColumns:
    """What the columns of a file are, to be remembered for the account."""

    headings_digest: str
    columns: Sequence[str]


@dataclass(frozen=True)
class BillSource:
    """The file that lines come from, for the record; `upload_id` where it is to be attached to the draft."""

    filename: str
    sha256: str
    upload_id: UUID | None = None


def lines_of_bill(checked: CheckedBill, *, good_only: bool) -> tuple[GoodLine, ...]:
    """Return the lines of a checked bill: of all its rows, or where that is wanted of its good ones.

    Raises Refusal(file_has_errors) with every problem where rows are refused and good ones alone are not
    wanted, and where there is nothing to import.
    """
    if checked.refused and not good_only:
        problems = tuple(problem for row in checked.refused for problem in row.problems)
        raise Refusal("file_has_errors", problems=problems)
    if not checked.lines:
        raise Refusal("file_has_errors", "There is no row that can be imported.")
    return checked.lines


def import_bill(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    revision_number: int,
    draft_version: int | None,
    lines: Sequence[GoodLine],
    replaces: bool,
    source: BillSource,
    columns: BillColumns | None,
    left_behind: int = 0,
) -> Revision:
    """The draft has these lines behind its own, or instead of them; its services and head stay.

    A line that replaces one of the same model number and room goes on as that line, so that what is ordered
    of it stays ordered. `left_behind` counts refused rows, for the record. Raises what `save_draft` raises:
    (revision_immutable), (stale_draft), (model_number_unknown), (not_list_price), (price_list_missing),
    (amount_too_large), (invalid_input) for too many lines, (forbidden), (not_found).
    """
    guard_permission(actor, Permission.QUOTE_BUILD)
    quote = locked_quote(tx, actor, ref)
    guard_account_side(actor, quote)
    before = locked_revision(tx, quote, revision_number)
    if before.state is not RevisionState.DRAFT:
        raise Refusal("revision_immutable")
    there = content_lines(tx, quote, revision_number)
    kept = () if replaces else there
    if len(kept) + len(lines) > MAX_LINES:
        words = f"The draft would have {len(kept) + len(lines):,} lines, and a revision has at most {MAX_LINES:,}."
        raise Refusal("invalid_input", words)
    ids = _Ids(there, ordered_quantities(tx, quote)) if replaces else None
    revision = save_draft(
        tx,
        actor=actor,
        at=at,
        ref=ref,
        revision_number=revision_number,
        draft_version=draft_version,
        account_number=before.account_number,
        note=before.note,
        lines=[*(_as_typed(line) for line in kept), *(_imported(line, ids) for line in lines)],
        services=[
            ServiceInput(row.kind, row.description, row.amount_cents)
            for row in content_services(tx, quote, revision_number)
        ],
        has_no_services=before.services_state is ServicesState.NONE,
    )
    if columns is not None:
        _remember(tx, actor, at, columns)
    _attach(tx, actor, at, ref, quote, revision, source)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=quote.dealer_id,
        event="bill.imported",
        subject=ref,
        details={
            "revision": revision_number,
            "file": source.filename,
            "sha256": source.sha256,
            "lines": len(lines),
            "refused": left_behind,
            "replaces": replaces,
        },
    )
    return revision


class _Ids:
    """The lines that are replaced, to be carried on by the same model number and room; ordered ones first."""

    def __init__(self, lines: Iterable[ContentLine], ordered: dict[UUID, int]) -> None:
        self._free: dict[tuple[str, str], list[UUID]] = {}
        for line in sorted(lines, key=lambda line: ordered.get(line.line_id, 0) <= 0):
            self._free.setdefault((line.model_number, fold(line.room)), []).append(line.line_id)

    def take(self, line: GoodLine) -> UUID | None:
        """Return the line that goes on as this one, once; None for a new line."""
        free = self._free.get((line.model_number, fold(line.room)))
        return free.pop(0) if free else None


def _as_typed(line: ContentLine) -> LineInput:
    return LineInput(line.model_number, line.quantity, line.room, line.line_id)


def _imported(line: GoodLine, ids: _Ids | None) -> LineInput:
    line_id = None if ids is None else ids.take(line)
    return LineInput(line.model_number, line.quantity, line.room, line_id, line.stated_cents)


def _remember(tx: Session, actor: Viewer, at: datetime, said: BillColumns) -> None:
    mapping = tx.get(BillMapping, (actor.company_id, said.headings_digest))
    if mapping is None:
        mapping = BillMapping(company_id=actor.company_id, headings_digest=said.headings_digest)
        tx.add(mapping)
    mapping.columns, mapping.saved_by, mapping.saved_at = list(said.columns), actor.user_id, at


def _attach(
    tx: Session, actor: Viewer, at: datetime, ref: str, quote: Quote, revision: Revision, source: BillSource
) -> None:
    if source.upload_id is None:
        return
    upload = tx.scalars(
        sa.select(Upload).where(Upload.company_id == actor.company_id, Upload.id == source.upload_id)
    ).one_or_none()
    if upload is None or upload.sha256 != source.sha256:
        raise Refusal("file_changed")
    attach_upload(tx, actor=actor, at=at, ref=ref, quote=quote, revision=revision, upload=upload)
