"""The list of referrals as a workbook: the rows that the pages show, all of them, and how many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import BinaryIO

from sqlalchemy.orm import Session

from referral.permissions import Viewer
from referral.queries.referrals import ReferralFilter, ReferralRow, referral_count, referral_rows
from referral.sheetkit.cellwriter import Column, Fact, Kind, Value
from referral.sheetkit.writer import Receipt, Sheet, write_workbook
from referral.states import ReferralState

WORKBOOK_ROWS = 500
"""Rows that are read at once."""
COLUMNS = (
    Column("Referral", width=18),
    Column("Project", width=34),
    Column("Place", width=24),
    Column("Spaces", width=34),
    Column("Dealer", width=30),
    Column("Account", width=30),
    Column("Opened at", Kind.INSTANT),
    Column("State", width=22),
    Column("Last day to answer", Kind.DATE, width=18),
    Column("Wanted on", Kind.DATE, width=14),
)


def write_referral_list(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    asked: ReferralFilter,
    words: Sequence[tuple[str, str]],
    states: Mapping[ReferralState, str],
    out: BinaryIO,
) -> Receipt:
    """Write the filtered list of referrals into `out`, in one snapshot; `words` says the filters for people."""

    def cells(row: ReferralRow) -> tuple[Value, ...]:
        return (
            row.ref,
            row.project_name,
            row.place,
            row.spaces,
            row.dealer_name,
            row.account_name,
            row.opened_at,
            states[row.state],
            row.expires_on,
            row.wanted_on,
        )

    rows = referral_rows(tx, viewer=viewer, at=at, asked=asked, limit=WORKBOOK_ROWS)
    return write_workbook(
        out,
        (Sheet("Referrals", COLUMNS, map(cells, rows)),),
        title="Referrals, newest first",
        facts=[
            Fact("Made by", viewer.name),
            *[Fact(f"Filter: {label}", text) for label, text in words],
            Fact("Referrals that fit", referral_count(tx, viewer=viewer, at=at, asked=asked), Kind.INTEGER),
        ],
        made_at=at,
    )
