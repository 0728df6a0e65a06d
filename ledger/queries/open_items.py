"""What is still open about a program year, as each floor tells it, before the year is closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.disputes import Dispute, DisputeAnswer
from ledger.models.imports import CreditImport
from ledger.models.years import YearClosing
from referral.ids import PublicNumber
from referral.models import Company
from referral.text import say_day


@dataclass(frozen=True)
class OpenItem:
    """Something that may still change the year: in words, and where it is settled."""

    words: str
    endpoint: str
    """The page that shows it, with the values of its address."""
    values: Mapping[str, object]


class OpenItems(Protocol):
    """What a floor adds to the open items of a program year."""

    def __call__(self, tx: Session, *, program_year: int, at: datetime) -> Iterator[OpenItem]:
        """Yield the open items, each once, in an order that stays the same."""


def open_items_of(
    tx: Session, sources: Sequence[OpenItems], *, program_year: int, at: datetime
) -> tuple[OpenItem, ...]:
    """Return what every floor still has open about the year."""
    return tuple(item for source in sources for item in source(tx, program_year=program_year, at=at))


def ledger_open_items(tx: Session, *, program_year: int, at: datetime) -> Iterator[OpenItem]:  # noqa: ARG001 - each floor is asked alike
    """Yield earlier years that are open, files that are not posted whole, disputes without an answer."""
    yield from _earlier_years(tx, program_year)
    yield from _imports(tx)
    yield from _disputes(tx, program_year)


def _earlier_years(tx: Session, program_year: int) -> Iterator[OpenItem]:
    finished = sa.select(YearClosing.program_year).where(YearClosing.finished_at.is_not(None))
    years = tx.scalars(
        sa.select(LedgerAccount.program_year)
        .distinct()
        .where(LedgerAccount.program_year < program_year, LedgerAccount.program_year.not_in(finished))
        .order_by(LedgerAccount.program_year)
    )
    for year in years:
        yield OpenItem(f"Program year {year} is not closed yet.", "ledger.close_year", {"year": year})


def _imports(tx: Session) -> Iterator[OpenItem]:
    unfinished = tx.scalars(
        sa.select(CreditImport)
        .where(CreditImport.finished_at.is_(None))
        .order_by(CreditImport.started_at, CreditImport.id)
    )
    for row in unfinished:
        done = row.posted_count + row.repeated_count
        yield OpenItem(
            f"The file {row.filename} is posted in part: {done:,} of {row.row_count:,} rows.",
            "ledger.credit",
            {},
        )


def _disputes(tx: Session, program_year: int) -> Iterator[OpenItem]:
    rows = tx.execute(
        sa.select(Dispute.number, Dispute.opened_on, Company.code)
        .join(
            LedgerEntry,
            sa.and_(LedgerEntry.dealer_id == Dispute.dealer_id, LedgerEntry.id == Dispute.entry_id),
        )
        .join(Company, Company.id == Dispute.dealer_id)
        .outerjoin(
            DisputeAnswer,
            sa.and_(DisputeAnswer.dealer_id == Dispute.dealer_id, DisputeAnswer.number == Dispute.number),
        )
        .where(LedgerEntry.program_year == program_year, DisputeAnswer.number.is_(None))
        .order_by(Company.code, Dispute.number)
    )
    for number, opened_on, code in rows:
        ref = str(PublicNumber("D", code, number))
        yield OpenItem(
            f"Dispute {ref} of {say_day(opened_on)} is not answered.", "ledger.show_dispute", {"ref": ref}
        )
