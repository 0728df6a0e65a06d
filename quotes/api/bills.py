"""The JSON API of bills of material: check one, and import it into a draft."""

from __future__ import annotations

from quotes.api.blueprint import QUOTE, Answer, Said, blueprint
from quotes.forms.bill_files import (
    SaidReading,
    columns_to_keep,
    find_reading,
    heading_digests,
    open_bill,
    read_bill,
)
from quotes.operations.bills import BillColumns, BillSource, lines_of_bill
from quotes.operations.bills import import_bill as import_bill_operation
from quotes.queries.bills import bill_draft, bill_mappings, check_bill
from quotes.schemas import bills as bill_schemas
from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs


@blueprint.post(f"{QUOTE}/bill")
@needs(Permission.QUOTE_BUILD)
@blueprint.arguments(bill_schemas.ImportBillSchema)
@blueprint.response(200, bill_schemas.BillReportSchema)
@blueprint.refuses(
    "file_too_large_or_not_a_workbook",
    "file_has_errors",
    "referral_closed",
    "revision_immutable",
    "stale_draft",
    "model_number_unknown",
    "not_list_price",
    "price_list_missing",
    "amount_too_large",
)
def import_bill(said: Said, ref: str) -> Answer:
    """Import a bill of material into the draft, behind its lines or instead of them; or only check it."""
    viewer, at = current_viewer(), now()
    draft = ask(bill_draft, viewer=viewer, at=at, ref=ref)
    if draft.refused:
        raise Refusal(draft.refused)
    table = open_bill(said["content"], said["filename"], said["sheet"])
    remembered = ask(bill_mappings, viewer=viewer, digests=heading_digests(table))
    reading = find_reading(table, SaidReading(said["heading_row"], said["columns"]), remembered)
    file = read_bill(table, reading, said["filename"])
    checked = ask(check_bill, viewer=viewer, at=at, ref=ref, file=file, adds_up=said["adds_up"])
    version = checked.draft.draft_version
    if not said["dry_run"]:
        revision = write(
            import_bill_operation,
            actor=viewer,
            at=at,
            ref=ref,
            revision_number=draft.revision_number,
            draft_version=said["draft_version"],
            lines=lines_of_bill(checked, good_only=said["good_only"]),
            replaces=said["replace"],
            source=BillSource(file.filename, file.sha256),
            columns=BillColumns(*columns_to_keep(table, reading)),
            left_behind=checked.refused_count,
        )
        version = revision.draft_version
    return {
        "id": ref,
        "revision": draft.revision_number,
        "draft_version": version,
        "is_saved": not said["dry_run"],
        "sha256": file.sha256,
        "sheet": table.sheet,
        "heading_row": reading.heading,
        "columns": {column.value: at for column, at in reading.columns.items()},
        "notes": table.notes,
        "rows": checked.row_count,
        "good_rows": checked.good_count,
        "lines": len(checked.lines),
        "blank_rows": checked.blank_count,
        "refused": checked.refused,
        "left_out": checked.left_out,
        "unknown": checked.unknown,
        "recalled": [{"model_number": number, "reason": why} for number, why in checked.recalled.items()],
    }
