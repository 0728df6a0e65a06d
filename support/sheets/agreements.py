"""The list of agreements as a workbook: every row that the pages show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import BinaryIO

from sqlalchemy.orm import Session

from referral.permissions import Viewer
from referral.queries.exchange_rates import program_currency
from referral.queries.settings import today
from referral.sheetkit.cellwriter import Column, Fact, Kind, Value
from referral.sheetkit.writer import Receipt, Sheet, write_workbook
from support.queries.agreements import AgreementFilter, AgreementRow, agreement_rows

Words = Sequence[tuple[str, str]]
COLUMNS = (
    Column("Agreement", width=18),
    Column("State", width=18),
    Column("Offer", width=30),
    Column("Version", Kind.INTEGER),
    Column("Customer", width=34),
    Column("Dealer", width=30),
    Column("Sites", Kind.INTEGER),
    Column("First site", width=40),
    Column("First day", Kind.DATE, width=14),
    Column("Last day", Kind.DATE, width=14),
    Column("Months", Kind.INTEGER),
    Column("Days left", Kind.INTEGER),
    Column("Net, all contract years", Kind.CENTS, width=22),
    Column("Continued", width=12),
)


def write_agreement_list(
    tx: Session, *, viewer: Viewer, at: datetime, asked: AgreementFilter, words: Words, out: BinaryIO
) -> Receipt:
    """Write the filtered list of agreements into `out`, in the order of the page, in one snapshot."""
    return write_workbook(
        out,
        (Sheet("Agreements", COLUMNS, map(_cells, agreement_rows(tx, viewer=viewer, at=at, asked=asked))),),
        title="Agreements",
        facts=[
            Fact("Made by", viewer.name),
            Fact("Filtered by", ", ".join(f"{name} {text}" for name, text in words) or "nothing"),
            Fact("Currency", program_currency(tx, today(tx, at))),
        ],
        made_at=at,
    )


def _cells(row: AgreementRow) -> tuple[Value, ...]:
    return (
        row.ref,
        row.standing_words,
        row.offer_name,
        row.offer_version,
        row.customer,
        row.dealer_name,
        len(row.sites),
        row.sites[0] if row.sites else "",
        row.starts_on,
        row.last_on,
        row.months,
        row.days_left,
        row.net_cents,
        "yes" if row.is_continued else "no",
    )
