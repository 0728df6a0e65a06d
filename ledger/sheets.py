"""The year's workbook: summary, postings, account heads, and the control sheet they are checked by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO, Protocol

from sqlalchemy.orm import Session

from ledger.queries.credit import currency_of, guard_program_year
from ledger.queries.statements import (
    AccountHead,
    DealerYearRow,
    account_heads,
    dealer_seen_by,
    year_lines,
    year_summary,
)
from ledger.states import ACCOUNT_WORDS
from referral.money import format_cents
from referral.permissions import Viewer
from referral.queries.settings import time_zone, today
from referral.sheetkit.cellwriter import Column, Fact, Kind, Value
from referral.sheetkit.writer import Receipt, Sheet, write_workbook

WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HOW_TO_CHECK = (
    "Each row of Postings carries the digest of its posting, chained to the one before in its account.",
    "The last row of an account equals its head: sequence, balance, digest (below, and on Accounts).",
    "Postings are never changed: at any later time the ledger shows the same digest for a sequence.",
    "The balances of Accounts add up to 0; the totals of Summary equal those of Postings.",
)


class YearSheets(Protocol):
    """What a floor adds to the year's workbook."""

    def __call__(
        self, tx: Session, *, viewer: Viewer, program_year: int, dealer_code: str
    ) -> Iterator[Sheet]:
        """Yield sheets whose rows are read while they are written."""


def write_year(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    program_year: int,
    dealer_code: str,
    sheets: Sequence[YearSheets],
    out: BinaryIO,
) -> Receipt:
    """Write a program year, of all dealers or of one, as a workbook into `out`; everything as of one snapshot.

    Raises Refusal(not_found) for a year that cannot be, or a dealer the viewer does not see.
    """
    guard_program_year(program_year)
    if dealer_code:
        dealer_seen_by(tx, viewer, dealer_code)
    facts = _control_facts(tx, viewer=viewer, at=at, program_year=program_year, dealer_code=dealer_code)
    tables = (
        sheet
        for make in sheets
        for sheet in make(tx, viewer=viewer, program_year=program_year, dealer_code=dealer_code)
    )
    return write_workbook(out, tables, title=f"Sales credit {program_year}", facts=facts, made_at=at)


def filename_of(program_year: int, dealer_code: str) -> str:
    """Return the workbook's name, such as sales-credit-2026-HARBOR.xlsx."""
    return "-".join(["sales-credit", str(program_year), *([dealer_code] if dealer_code else [])]) + ".xlsx"


def credit_sheets(tx: Session, *, viewer: Viewer, program_year: int, dealer_code: str) -> Iterator[Sheet]:
    """Yield the ledger's own sheets: Summary, Postings, Accounts."""
    dealers = year_summary(tx, viewer=viewer, program_year=program_year, dealer_code=dealer_code)
    yield Sheet(
        "Summary",
        (
            Column("Dealer", width=12),
            Column("Name", width=34),
            Column("Sales credit", Kind.CENTS, total=True),
            Column("Other purchases", Kind.CENTS, total=True),
            Column("Total", Kind.CENTS, total=True),
            Column(f"Level for {program_year + 1}", width=18),
            Column("Next level", width=18),
            Column("Missing to the next", Kind.CENTS, width=20),
        ),
        (_summary_row(dealer) for dealer in dealers),
    )
    yield Sheet(
        "Postings",
        (
            Column("Dealer", width=12),
            Column("Account", width=18),
            Column("Sequence", Kind.INTEGER),
            Column("Effective day", Kind.DATE, width=14),
            Column("Posted at", Kind.INSTANT),
            Column("Kind", width=16),
            Column("Source", width=20),
            Column("Takes back", width=20),
            Column("Memo", width=40),
            Column("By", width=22),
            Column("Amount", Kind.CENTS, total=True),
            Column("Balance", Kind.CENTS),
            Column("Digest", width=68),
        ),
        _posting_rows(tx, dealers, program_year),
    )
    heads = account_heads(tx, viewer=viewer, program_year=program_year, dealer_code=dealer_code)
    yield Sheet(
        "Accounts",
        (
            Column("Dealer", width=12),
            Column("Program year", width=14),
            Column("Account", width=18),
            Column("Last sequence", Kind.INTEGER, width=14),
            Column("Balance", Kind.CENTS, total=True),
            Column("Digest", width=68),
        ),
        (_head_row(head) for head in heads),
    )


def _summary_row(dealer: DealerYearRow) -> tuple[Value, ...]:
    standing = dealer.year.standing
    return (
        dealer.dealer_code,
        dealer.dealer_name,
        dealer.year.sales_credit_cents,
        dealer.year.other_purchases_cents,
        dealer.year.total_cents,
        standing.level.name if standing.level else "",
        standing.next_level.name if standing.next_level else "",
        standing.missing_cents if standing.next_level else None,
    )


def _posting_rows(
    tx: Session, dealers: tuple[DealerYearRow, ...], program_year: int
) -> Iterator[tuple[Value, ...]]:
    for dealer, kind, line in year_lines(tx, dealers=dealers, program_year=program_year):
        yield (
            dealer.dealer_code,
            ACCOUNT_WORDS[kind],
            line.sequence,
            line.effective_on,
            line.posted_at,
            line.words,
            line.source,
            line.related_source,
            line.memo,
            line.actor,
            line.amount_cents,
            line.balance_cents,
            line.digest,
        )


def _head_row(head: AccountHead) -> tuple[Value, ...]:
    return (
        head.dealer_code,
        str(head.program_year),
        ACCOUNT_WORDS[head.kind],
        head.sequence,
        head.balance_cents,
        head.digest,
    )


def _control_facts(
    tx: Session, *, viewer: Viewer, at: datetime, program_year: int, dealer_code: str
) -> list[Fact]:
    heads = account_heads(tx, viewer=viewer, program_year=program_year, dealer_code=dealer_code)
    return [
        Fact("Made by", viewer.name),
        Fact("Program year", str(program_year)),
        Fact("Dealer", dealer_code or "all dealers"),
        Fact("As of: everything posted until", at, Kind.INSTANT),
        Fact(f"Business day ({time_zone(tx)})", today(tx, at), Kind.DATE),
        Fact("Currency", currency_of(tx, program_year)),
        *(Fact(f"How to check, {number}", sentence) for number, sentence in enumerate(HOW_TO_CHECK, start=1)),
        *(
            Fact(
                f"Head of {head.dealer_code} {head.program_year} {ACCOUNT_WORDS[head.kind]}",
                f"sequence {head.sequence}, balance {format_cents(head.balance_cents)}, digest {head.digest}",
            )
            for head in heads
        ),
    ]
