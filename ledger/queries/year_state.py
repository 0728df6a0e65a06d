"""Which state of a program year a workbook shows: the present one, the closed one, or one that was stated earlier.

A workbook states its heads: how far each account had come. So the same rows can be read again at any later time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.evidence import Checkpoint
from ledger.models.years import YearClose, YearClosing
from ledger.queries.checkpoints import newest_checkpoint
from ledger.queries.levels import CreditYear, level_version, make_credit_year, steps_of
from ledger.queries.statements import (
    AccountHead,
    StatementLine,
    dealer_seen_by,
    dealers_seen_by,
    statement_lines,
)
from ledger.rules.checkpoints import checkpoint_code
from ledger.rules.credit import LevelStep
from ledger.rules.digests import CHAIN_START
from ledger.states import ACCOUNT_WORDS, TOTAL_KINDS, AccountKind
from referral.models import Company
from referral.permissions import CompanyKind, Viewer

GRACE = timedelta(minutes=10)
"""What was written in the last moments before a workbook's instant may be missing in it: it had not committed yet."""


@dataclass(frozen=True)
class YearDealer:
    """A dealer in a year's workbook, as it is named there."""

    dealer_id: UUID
    code: str
    name: str
    level_version: int
    """The version of the levels that decides; 0 where none are set."""
    level_name: str = ""
    close_digest: str = ""
    """The level and the digest of the dealer's frozen year; empty while the year is open."""


@dataclass(frozen=True)
class YearState:
    """A program year of all dealers, or of one, as of a state."""

    program_year: int
    dealer_code: str
    """The only dealer; empty for all."""
    at: datetime
    """When it was so: everything until then; of a closed year the instant of its closing."""
    is_closed: bool
    is_stated: bool
    """Whether an earlier workbook states it: the ledger may have moved on since."""
    currency: str
    checkpoint: str
    """The short code of the newest checkpoint at that time; empty where there is none, and for a closed year."""
    dealers: tuple[YearDealer, ...]
    heads: Mapping[tuple[str, AccountKind], AccountHead]
    """By code of the dealer and kind of account, in this order."""

    def had_not_settled(self, instant: datetime) -> bool:
        """Tell whether a row written at this instant may be missing in the workbook that states this."""
        return self.is_stated and not self.is_closed and instant > self.at - GRACE

    def began_later(self, instant: datetime) -> bool:
        """Tell whether a row written at this instant came after this state."""
        return self.is_stated and not self.is_closed and instant > self.at + GRACE


def year_state(
    tx: Session, *, viewer: Viewer, at: datetime, program_year: int, dealer_code: str, currency: str
) -> YearState:
    """Return the state a workbook shows now: of a closed year for ever the same.

    Whoever sees only the own company's credit gets that dealer's. Raises Refusal(not_found) for a dealer the viewer
    does not see.
    """
    if not viewer.acts_as(CompanyKind.PROGRAM):
        dealer_code = dealer_code or viewer.company_code
    if dealer_code:
        dealer_seen_by(tx, viewer, dealer_code)
    closes = _closes(tx, program_year, dealer_code)
    closed_at = _closed_at(tx, program_year, dealer_code, closes)
    if closed_at is not None:
        return _closed_state(tx, program_year, dealer_code, closed_at, closes)
    dealers = _dealers(tx, viewer, dealer_code, level_version(tx, program_year + 1) or 0)
    return YearState(
        program_year=program_year,
        dealer_code=dealer_code,
        at=at,
        is_closed=False,
        is_stated=False,
        currency=currency,
        checkpoint=_checkpoint(tx, at),
        dealers=dealers,
        heads=_heads(tx, program_year, dealers),
    )


def stated_state(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    program_year: int,
    dealer_code: str,
    currency: str,
    is_closed: bool,
    checkpoint: str,
    sequences: Mapping[tuple[str, AccountKind], int],
) -> YearState:
    """Return the state that an earlier workbook states by its instant and the sequences of its heads.

    A head that the ledger has never reached is left out. Raises Refusal(not_found) for a dealer the viewer does not
    see.
    """
    if is_closed:
        return year_state(
            tx, viewer=viewer, at=at, program_year=program_year, dealer_code=dealer_code, currency=currency
        )
    if dealer_code:
        dealer_seen_by(tx, viewer, dealer_code)
    dealers = _dealers(tx, viewer, dealer_code, level_version(tx, program_year + 1, at) or 0)
    ids = {dealer.code: dealer.dealer_id for dealer in dealers}
    heads = {
        (code, kind): head
        for (code, kind), sequence in sequences.items()
        if code in ids and (head := _head_at(tx, ids[code], code, program_year, kind, sequence)) is not None
    }
    return YearState(
        program_year=program_year,
        dealer_code=dealer_code,
        at=at,
        is_closed=False,
        is_stated=True,
        currency=currency,
        checkpoint=_checkpoint(tx, at, checkpoint),
        dealers=dealers,
        heads=heads,
    )


def state_faults(tx: Session, state: YearState) -> Iterator[str]:
    """Yield what a stated state leaves out: accounts and postings that the ledger had before its instant."""
    present = _heads(tx, state.program_year, state.dealers)
    ids = {dealer.code: dealer.dealer_id for dealer in state.dealers}
    for (code, kind), head in present.items():
        stated = state.heads.get((code, kind))
        if stated is not None and stated.sequence >= head.sequence:
            continue
        after = 0 if stated is None else stated.sequence
        posted_at = _posted_at(tx, ids[code], state.program_year, kind, after + 1)
        if posted_at is not None and not state.had_not_settled(posted_at):
            words = "leaves this account out" if stated is None else f"ends this account at {after}"
            yield (
                f"{code} {state.program_year} {ACCOUNT_WORDS[kind]}: the workbook {words}, "
                f"but the ledger had posted {after + 1} before the workbook was made."
            )


def state_years(tx: Session, state: YearState) -> Iterator[tuple[YearDealer, CreditYear]]:
    """Yield each dealer with its credit year as of the state."""
    levels: dict[int, tuple[LevelStep, ...]] = {}
    for dealer in state.dealers:
        if dealer.level_version not in levels:
            levels[dealer.level_version] = steps_of(tx, state.program_year + 1, dealer.level_version)
        balances = {
            kind: head.balance_cents
            for kind in TOTAL_KINDS
            if (head := state.heads.get((dealer.code, kind))) is not None
        }
        yield (
            dealer,
            make_credit_year(
                state.program_year,
                balances.get(AccountKind.SALES_CREDIT, 0),
                balances.get(AccountKind.OTHER_PURCHASES, 0),
                levels[dealer.level_version],
            ),
        )


def state_lines(tx: Session, state: YearState) -> Iterator[tuple[YearDealer, AccountKind, StatementLine]]:
    """Yield every posting of the dealers' own accounts up to the heads: by dealer, account, sequence; streamed."""
    for dealer in state.dealers:
        for kind in TOTAL_KINDS:
            head = state.heads.get((dealer.code, kind))
            if head is None:
                continue
            for line in statement_lines(
                tx,
                dealer_id=dealer.dealer_id,
                program_year=state.program_year,
                account_kind=kind,
                limit=head.sequence,  # sequences have no gaps
            ):
                yield dealer, kind, line


def _dealers(tx: Session, viewer: Viewer, dealer_code: str, version: int) -> tuple[YearDealer, ...]:
    """Return the dealers by code, in an order that no database's collation decides."""
    statement = dealers_seen_by(viewer)
    if dealer_code:
        statement = statement.where(Company.code == dealer_code)
    found = sorted(tx.scalars(statement), key=lambda dealer: dealer.code)
    return tuple(YearDealer(dealer.id, dealer.code, dealer.name, version) for dealer in found)


def _heads(
    tx: Session, program_year: int, dealers: Sequence[YearDealer]
) -> dict[tuple[str, AccountKind], AccountHead]:
    """Return the present heads of these dealers, by code and kind."""
    codes = {dealer.dealer_id: dealer.code for dealer in dealers}
    statement = sa.select(
        LedgerAccount.dealer_id,
        LedgerAccount.kind,
        LedgerAccount.sequence,
        LedgerAccount.balance_cents,
        LedgerAccount.digest,
    ).where(LedgerAccount.program_year == program_year)
    if len(codes) == 1:
        statement = statement.where(LedgerAccount.dealer_id.in_(codes))
    heads = [
        AccountHead(codes[row.dealer_id], program_year, row.kind, row.sequence, row.balance_cents, row.digest)
        for row in tx.execute(statement)
        if row.dealer_id in codes
    ]
    ordered = sorted(heads, key=lambda head: (head.dealer_code, head.kind))
    return {(head.dealer_code, head.kind): head for head in ordered}


def _head_at(
    tx: Session, dealer_id: UUID, code: str, program_year: int, kind: AccountKind, sequence: int
) -> AccountHead | None:
    """Return the head an account had when this sequence was its last; None where there is no such posting."""
    if sequence == 0:
        return AccountHead(code, program_year, kind, 0, 0, CHAIN_START)
    own = kind is not AccountKind.ISSUANCE
    place = LedgerEntry.sequence if own else LedgerEntry.issuance_sequence
    statement = sa.select(
        LedgerEntry.balance_cents if own else LedgerEntry.issuance_balance_cents,
        LedgerEntry.digest if own else LedgerEntry.issuance_digest,
    ).where(*_in_account(dealer_id, program_year, kind), place == sequence)
    found = tx.execute(statement).one_or_none()
    return None if found is None else AccountHead(code, program_year, kind, sequence, found[0], found[1])


def _posted_at(
    tx: Session, dealer_id: UUID, program_year: int, kind: AccountKind, sequence: int
) -> datetime | None:
    place = LedgerEntry.sequence if kind is not AccountKind.ISSUANCE else LedgerEntry.issuance_sequence
    return tx.scalars(
        sa.select(LedgerEntry.posted_at).where(*_in_account(dealer_id, program_year, kind), place == sequence)
    ).one_or_none()


def _in_account(dealer_id: UUID, program_year: int, kind: AccountKind) -> Sequence[sa.ColumnElement[bool]]:
    of_year = (LedgerEntry.dealer_id == dealer_id, LedgerEntry.program_year == program_year)
    return of_year if kind is AccountKind.ISSUANCE else (*of_year, LedgerEntry.account_kind == kind)


def _checkpoint(tx: Session, at: datetime, stated: str = "") -> str:
    """Return the code that is stated, if it is a checkpoint's, else that of the newest one at an instant."""
    number = stated.partition("-")[0]
    if number.isascii() and number.isdigit() and len(number) < 10:
        found = tx.get(Checkpoint, int(number))
        if found is not None and checkpoint_code(found.number, found.digest) == stated:
            return stated
    newest = newest_checkpoint(tx, before=at)
    return "" if newest is None else newest.code


# closed years -----------------------------------------------------------------------------------


def _closes(tx: Session, program_year: int, dealer_code: str) -> Sequence[YearClose]:
    statement = sa.select(YearClose).where(YearClose.program_year == program_year)
    if dealer_code:
        statement = statement.where(YearClose.dealer_code == dealer_code)
    return sorted(tx.scalars(statement), key=lambda close: close.dealer_code)


def _closed_at(
    tx: Session, program_year: int, dealer_code: str, closes: Sequence[YearClose]
) -> datetime | None:
    """Return when the year was closed, for the one dealer or for all; None while it is open for any of them."""
    if dealer_code:
        return closes[0].closed_at if closes else None
    closing = tx.get(YearClosing, program_year)
    return None if closing is None else closing.finished_at


def _closed_state(
    tx: Session, program_year: int, dealer_code: str, closed_at: datetime, closes: Sequence[YearClose]
) -> YearState:
    dealers = tuple(
        YearDealer(
            dealer_id=close.dealer_id,
            code=close.dealer_code,
            name=close.dealer_name,
            level_version=close.level_version,
            level_name=close.level_name,
            close_digest=close.digest,
        )
        for close in closes
    )
    return YearState(
        program_year=program_year,
        dealer_code=dealer_code,
        at=closed_at,
        is_closed=True,
        is_stated=False,
        currency=", ".join(sorted({close.currency for close in closes})),
        checkpoint="",
        dealers=dealers,
        heads=_heads(tx, program_year, dealers),
    )
