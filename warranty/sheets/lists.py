"""Lists of installed sources and obligations as workbooks: every row that the pages show, and their totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO

from sqlalchemy.orm import Session

from referral.permissions import Viewer
from referral.sheetkit.cellwriter import Column, Fact, Kind, Value
from referral.sheetkit.writer import Receipt, Sheet, write_workbook
from referral.text import say_day
from warranty.queries.ending import ending_rows
from warranty.queries.listings import LACKING_WORDS, STANDING_WORDS, SourceFilter, SourceRow, source_rows
from warranty.queries.obligations import ProjectObligation, obligation_days, obligations

Words = Sequence[tuple[str, str]]
ALL_PROJECTS = 1_000_000
SOURCE_COLUMNS = (
    Column("Source", width=18),
    Column("Project", width=34),
    Column("Referral", width=18),
    Column("Site", width=26),
    Column("Room", width=22),
    Column("Model number", width=24),
    Column("Description", width=40),
    Column("Family", width=16),
    Column("Units", Kind.INTEGER),
    Column("Serial number", width=22),
    Column("Standing", width=20),
    Column("Warranty replacement", width=20),
    Column("Shipped", Kind.DATE, width=14),
    Column("Delivered", Kind.DATE, width=14),
    Column("Commissioned", Kind.DATE, width=14),
    Column("Taken out", Kind.DATE, width=14),
    Column("Warranty from", Kind.DATE, width=14),
    Column("Warranty through", Kind.DATE, width=16),
    Column("Waits for", width=32),
    Column("Order", width=18),
    Column("Dealer", width=30),
    Column("Account", width=30),
)
PROJECT_COLUMNS = (
    Column("Referral", width=18),
    Column("Project", width=34),
    Column("Place", width=24),
    Column("Dealer", width=30),
    Column("Account", width=30),
    Column("Units in warranty", Kind.INTEGER, width=18),
    Column("First one ends", Kind.DATE, width=16),
    Column("Last one ends", Kind.DATE, width=16),
    Column("Undetermined units", Kind.INTEGER, width=20),
    Column("Open claims", Kind.INTEGER, width=14),
)
DAY_COLUMNS = (
    Column("Warranty through", Kind.DATE, width=16),
    Column("Referral", width=18),
    Column("Project", width=34),
    Column("Account", width=30),
    Column("Units", Kind.INTEGER),
)


def write_source_list(
    tx: Session, *, viewer: Viewer, at: datetime, asked: SourceFilter, words: Words, out: BinaryIO
) -> Receipt:
    """Write the filtered list of sources into `out`: every row the pages show, in one snapshot.

    `words` says the filters for people. Raises Refusal(not_found).
    """
    rows, totals = source_rows(tx, viewer=viewer, at=at, asked=asked)
    return write_workbook(
        out,
        (Sheet("Sources", SOURCE_COLUMNS, map(_source_cells, rows)),),
        title="Installed sources",
        facts=[
            *_facts(viewer, words),
            Fact("Installed sources", totals.sources, Kind.INTEGER),
            Fact("Units", totals.units, Kind.INTEGER),
            Fact("Units in place", totals.units_in_place, Kind.INTEGER),
        ],
        made_at=at,
    )


def write_ending_list(
    tx: Session, *, viewer: Viewer, at: datetime, days: int, asked: SourceFilter, words: Words, out: BinaryIO
) -> Receipt:
    """Write all whose warranty ends in so many days into `out`, soonest first. Raises Refusal(not_found)."""
    rows = ending_rows(tx, viewer=viewer, at=at, days=days, asked=asked)
    return write_workbook(
        out,
        (Sheet("Ending", SOURCE_COLUMNS, map(_source_cells, rows)),),
        title=f"Warranties that end within {days} days",
        facts=[*_facts(viewer, words)],
        made_at=at,
    )


def write_obligations(
    tx: Session, *, viewer: Viewer, at: datetime, account_code: str, out: BinaryIO
) -> Receipt:
    """Write what is owed into `out`: by project, and by project and last day. Raises Refusal(not_found)."""
    owed = obligations(tx, viewer=viewer, at=at, account_code=account_code, limit=ALL_PROJECTS)
    return write_workbook(
        out,
        (
            Sheet("Projects", PROJECT_COLUMNS, map(_project_cells, owed.projects)),
            Sheet(
                "Last days",
                DAY_COLUMNS,
                (
                    (ends_on, ref, project, account, units)
                    for ref, project, account, ends_on, units in obligation_days(
                        tx, viewer=viewer, at=at, account_code=account_code
                    )
                ),
            ),
        ),
        title="Warranty obligations",
        facts=[
            Fact("Made by", viewer.name),
            Fact("Owed by", owed.account_name or "the account of each order"),
            Fact("Qualification", _qualification(owed.is_qualified, say_day(owed.qualified_to))),
            Fact("Units in warranty", owed.units, Kind.INTEGER),
            Fact("Undetermined units", owed.undetermined_units, Kind.INTEGER),
            Fact("Open claims", owed.open_claims, Kind.INTEGER),
        ],
        made_at=at,
    )


def _qualification(is_qualified: bool, until: str) -> str:
    if is_qualified:
        return f"qualified through {until}" if until else "qualified"
    return f"ended {until}; what was sold before is still owed" if until else "none today"


def _facts(viewer: Viewer, words: Words) -> Iterator[Fact]:
    yield Fact("Made by", viewer.name)
    yield Fact("What it shows", "everything that the filters leave, of what the person may see")
    for label, text in words or (("Filters", "none"),):
        yield Fact(label if not words else f"Filter: {label}", text)


def _source_cells(row: SourceRow) -> tuple[Value, ...]:
    return (
        row.ref,
        row.project_name,
        row.referral_ref,
        row.site,
        row.room,
        row.model_number,
        row.description,
        row.family,
        row.quantity,
        row.serial,
        STANDING_WORDS[row.standing],
        "yes" if row.is_replacement else "",
        row.shipped_on,
        row.delivered_on,
        row.commissioned_on,
        row.gone_on,
        row.starts_on,
        row.ends_on,
        LACKING_WORDS[row.lacking] if row.lacking else "",
        row.order_ref,
        row.dealer_name,
        row.account_name,
    )


def _project_cells(row: ProjectObligation) -> tuple[Value, ...]:
    return (
        row.referral_ref,
        row.project_name,
        row.place,
        row.dealer_name,
        row.account_name,
        row.units,
        row.first_end_on,
        row.last_end_on,
        row.undetermined_units,
        row.open_claims,
    )
