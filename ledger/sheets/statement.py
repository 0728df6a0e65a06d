"""The workbook of a dealer's statement: accounts, sums by kind, every posting, and what to check it by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from sqlalchemy.orm import Session

from ledger.queries.period_statements import PeriodStatement, period_lines, whole_statement
from referral.permissions import Viewer
from referral.sheetkit.cellwriter import Column, Fact, Kind, Value
from referral.sheetkit.writer import Receipt, Sheet, write_workbook

HOW_TO_CHECK = (
    "Postings of an account and its opening balance add up to its closing balance.",
    "The last posting of an account has the sequence and the digest that Accounts gives for it.",
    "Postings are never changed: at any later time the ledger shows the same digest for a sequence.",
)


def write_statement(
    tx: Session, *, viewer: Viewer, at: datetime, dealer_code: str, period_name: str, out: BinaryIO
) -> Receipt:
    """Write the statement of a period as a workbook into `out`; everything as of one snapshot.

    Raises Refusal(not_found) for another's dealer, a period that can't be or has not begun.
    """
    statement = whole_statement(tx, viewer=viewer, at=at, dealer_code=dealer_code, period_name=period_name)
    return write_workbook(
        out,
        _sheets(tx, statement),
        title=f"Statement of {statement.dealer_name}, {statement.period.words}",
        facts=_facts(statement, viewer),
        made_at=at,
    )


def filename_of(dealer_code: str, period_name: str) -> str:
    """Return the workbook's name, such as statement-HARBOR-2026-11.xlsx."""
    return f"statement-{dealer_code}-{period_name}.xlsx"


def _sheets(tx: Session, statement: PeriodStatement) -> Iterator[Sheet]:
    yield Sheet(
        "Accounts",
        (
            Column("Account", width=26),
            Column("Opening balance", Kind.CENTS, width=18),
            Column("Posted", Kind.CENTS, total=True),
            Column("Closing balance", Kind.CENTS, width=18),
            Column("Postings", Kind.INTEGER, total=True),
            Column("Last sequence", Kind.INTEGER, width=14),
            Column("Digest", width=68),
        ),
        (
            (
                account.words,
                account.opening.balance_cents,
                account.posted_cents,
                account.closing.balance_cents,
                account.count,
                account.closing.sequence,
                account.closing.digest,
            )
            for account in statement.accounts
        ),
    )
    yield Sheet(
        "By kind",
        (
            Column("Kind", width=20),
            Column("Postings", Kind.INTEGER, total=True),
            Column("Sales credit", Kind.CENTS, total=True),
            Column("Other purchases", Kind.CENTS, total=True),
        ),
        (
            (row.words, row.count, row.sales_credit_cents, row.other_purchases_cents)
            for row in statement.kinds
        ),
    )
    yield Sheet(
        "Postings",
        (
            Column("Account", width=26),
            Column("Sequence", Kind.INTEGER),
            Column("Posted on", Kind.DATE, width=14),
            Column("Posted at", Kind.INSTANT),
            Column("Effective day", Kind.DATE, width=14),
            Column("Kind", width=16),
            Column("Source", width=20),
            Column("Takes back", width=20),
            Column("Memo", width=40),
            Column("By", width=22),
            Column("Amount", Kind.CENTS, total=True),
            Column("Balance", Kind.CENTS),
            Column("Digest", width=68),
        ),
        _posting_rows(tx, statement),
    )


def _posting_rows(tx: Session, statement: PeriodStatement) -> Iterator[tuple[Value, ...]]:
    for account, line, posted_on in period_lines(tx, statement):
        yield (
            account.words,
            line.sequence,
            posted_on,
            line.posted_at,
            line.effective_on,
            line.words,
            line.source,
            line.related_source,
            line.memo,
            line.actor,
            line.amount_cents,
            line.balance_cents,
            line.digest,
        )


def _facts(statement: PeriodStatement, viewer: Viewer) -> list[Fact]:
    period = statement.period
    return [
        Fact("Made by", viewer.name),
        Fact("Dealer", statement.dealer_code),
        Fact("Name", statement.dealer_name),
        Fact("Period", period.words if statement.is_over else f"{period.words}, so far"),
        Fact("First day", period.first_on, Kind.DATE),
        Fact("Last day", period.last_on, Kind.DATE),
        Fact("Days are those of", statement.zone),
        Fact("As of: everything posted until", statement.made_at, Kind.INSTANT),
        Fact("Currency", statement.currency),
        Fact("Checkpoint", statement.checkpoint_code or "none yet"),
        Fact("Can be disputed until", statement.last_dispute_on, Kind.DATE),
        *(Fact(f"How to check, {number}", sentence) for number, sentence in enumerate(HOW_TO_CHECK, start=1)),
    ]
