"""The year's workbook: summary, postings, account heads, and the control sheet they are checked by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO, Protocol

from sqlalchemy.orm import Session

from ledger.queries.credit import currency_of, guard_program_year
from ledger.queries.levels import CreditYear
from ledger.queries.statements import AccountHead, StatementLine
from ledger.queries.year_state import YearDealer, YearState, state_lines, state_years, year_state
from ledger.states import ACCOUNT_WORDS, AccountKind
from referral.money import format_cents
from referral.permissions import Viewer
from referral.queries.settings import time_zone, today
from referral.sheetkit.cellwriter import Column, Fact, Kind, Value
from referral.sheetkit.writer import ROWS_PER_SHEET, Receipt, Sheet, write_workbook

WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ALL_DEALERS = "all dealers"
OPEN, CLOSED = "open", "closed"
NO_CHECKPOINT = "none yet"
YEAR_FACT, DEALER_FACT, STATE_FACT = "Program year", "Dealer", "The year is"
AS_OF_FACT, CLOSED_FACT, CHECKPOINT_FACT = "As of: everything posted until", "Closed at", "Newest checkpoint"
HEAD_FACT = "Head of "
HOW_TO_CHECK = (
    "Each row of Postings carries the digest of its posting, chained to the one before in its account.",
    "The last row of an account equals its head: sequence, balance, digest (below, and on Accounts).",
    "Postings are never changed: at any later time the ledger shows the same digest for a sequence.",
    "The balances of Accounts add up to 0; the totals of Summary equal those of Postings.",
    "flask ledger check-export FILE.xlsx compares every row with the ledger, at any later time.",
)


class YearSheets(Protocol):
    """What a floor adds to the year's workbook."""

    def __call__(self, tx: Session, *, state: YearState) -> Iterator[Sheet]:
        """Yield sheets of that state, whose rows are read while they are written or compared."""


def write_year(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    program_year: int,
    dealer_code: str,
    sheets: Sequence[YearSheets],
    out: BinaryIO,
    rows_per_sheet: int = ROWS_PER_SHEET,
) -> Receipt:
    """Write a program year, of all dealers or of one, as a workbook into `out`; everything as of one snapshot.

    A closed year gives the same bytes for ever: it says when it was closed, not when and by whom the file was made.

    Raises Refusal(not_found) for a year that cannot be, or a dealer the viewer does not see.
    """
    guard_program_year(program_year)
    state = year_state(
        tx,
        viewer=viewer,
        at=at,
        program_year=program_year,
        dealer_code=dealer_code,
        currency=currency_of(tx, program_year),
    )
    tables = (sheet for make in sheets for sheet in make(tx, state=state))
    return write_workbook(
        out,
        tables,
        title=title_of(state),
        facts=control_facts(tx, state=state, made_by=viewer.name),
        made_at=None if state.is_closed else at,
        rows_per_sheet=rows_per_sheet,
    )


def title_of(state: YearState) -> str:
    """Return the title, which stands in the header of each printed page."""
    return f"Sales credit {state.program_year}"


def filename_of(program_year: int, dealer_code: str) -> str:
    """Return the workbook's name, such as sales-credit-2026-HARBOR.xlsx."""
    return "-".join(["sales-credit", str(program_year), *([dealer_code] if dealer_code else [])]) + ".xlsx"


def credit_sheets(tx: Session, *, state: YearState) -> Iterator[Sheet]:
    """Yield the ledger's own sheets: Summary, Postings, Accounts."""
    holders = {code for code, _ in state.heads}
    yield Sheet(
        "Summary",
        (
            Column("Dealer", width=12),
            Column("Name", width=34),
            Column("Sales credit", Kind.CENTS, total=True),
            Column("Other purchases", Kind.CENTS, total=True),
            Column("Total", Kind.CENTS, total=True),
            Column(f"Level for {state.program_year + 1}", width=18),
            Column("Next level", width=18),
            Column("Missing to the next", Kind.CENTS, width=20),
        ),
        (_summary_row(dealer, year) for dealer, year in state_years(tx, state)),
        may_lack=lambda row: state.is_stated and row[0] not in holders,
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
        (_posting_row(*line) for line in state_lines(tx, state)),
        key=3,
    )
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
        (_head_row(head) for head in state.heads.values()),
        key=3,
    )


def control_facts(tx: Session, *, state: YearState, made_by: str) -> list[Fact]:
    """Return what the control sheet says of the whole: filters, state, and the heads to check the rows by."""
    facts = [
        Fact(YEAR_FACT, str(state.program_year)),
        Fact(DEALER_FACT, state.dealer_code or ALL_DEALERS),
        Fact(STATE_FACT, CLOSED if state.is_closed else OPEN),
        Fact("Currency", state.currency, lasting=state.is_closed),
    ]
    if state.is_closed:
        facts.append(Fact(CLOSED_FACT, state.at, Kind.INSTANT))
        facts += [Fact(f"Close of {dealer.code}", dealer.close_digest) for dealer in state.dealers]
    else:
        facts += [
            Fact("Made by", made_by, lasting=False),
            Fact(AS_OF_FACT, state.at, Kind.INSTANT),
            Fact("Business day", today(tx, state.at), Kind.DATE, lasting=False),
            Fact("Time zone", str(time_zone(tx)), lasting=False),
            Fact(CHECKPOINT_FACT, state.checkpoint or NO_CHECKPOINT),
        ]
    facts += [Fact(f"How to check, {number}", words) for number, words in enumerate(HOW_TO_CHECK, start=1)]
    facts += [
        Fact(
            f"{HEAD_FACT}{head.dealer_code} {head.program_year} {ACCOUNT_WORDS[head.kind]}",
            f"sequence {head.sequence}, balance {format_cents(head.balance_cents)}, digest {head.digest}",
        )
        for head in state.heads.values()
    ]
    return facts


def _summary_row(dealer: YearDealer, year: CreditYear) -> tuple[Value, ...]:
    standing = year.standing
    return (
        dealer.code,
        dealer.name,
        year.sales_credit_cents,
        year.other_purchases_cents,
        year.total_cents,
        dealer.level_name or (standing.level.name if standing.level else ""),
        standing.next_level.name if standing.next_level else "",
        standing.missing_cents if standing.next_level else None,
    )


def _posting_row(dealer: YearDealer, kind: AccountKind, line: StatementLine) -> tuple[Value, ...]:
    return (
        dealer.code,
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
