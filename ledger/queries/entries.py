"""Why one posting stands: its two places, its chain, what belongs to it, and what its source explains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.queries.credit import currency_of, guard_program_year
from ledger.queries.listings import PostingPlace
from ledger.queries.statements import dealer_seen_by
from ledger.rules.digests import CHAIN_START
from ledger.states import ACCOUNT_WORDS, ENTRY_WORDS, TOTAL_KINDS, AccountKind, EntryKind
from referral.errors import Refusal
from referral.models import User
from referral.permissions import Viewer


@dataclass(frozen=True)
class ExplainedLine:
    """A line that earned credit, or had it taken back, with its arithmetic."""

    model_number: str
    description: str
    quantity: int
    list_price_cents: int
    credit_rate: int
    """In ten-thousandths."""
    exchange_rate: int | None
    """In millionths; None where the line is in the program's own currency."""
    exact: str
    """The product before rounding, with every decimal."""
    credit_cents: int
    """What this posting moves for the line, below zero where it takes back."""
    formula: str
    """The arithmetic in words and figures."""


@dataclass(frozen=True)
class Explanation:
    """What stands behind a posting: order, lines, price list, approval, people."""

    what: str
    lines: tuple[ExplainedLine, ...]
    currency: str
    """Of the list prices."""
    order_ref: str
    quote_ref: str
    revision: int
    price_list_version: int
    price_list_valid_from: date
    credit_rate: int
    exchange_rate: int | None
    exchange_rate_on: date | None
    approved_by: str
    approved_at: datetime
    approval_digest: str
    entered_by: str
    entered_at: datetime
    reason: str
    """Why it was taken back; empty for an order."""


class EntrySource(Protocol):
    """Who can explain entries of some kinds; the roof lists them."""

    def __call__(self, tx: Session, *, viewer: Viewer, dealer_id: UUID, entry_id: UUID) -> Explanation | None:
        """Return the explanation, None where the entry is not of this source."""


@dataclass(frozen=True)
class EntryLink:
    """A posting that another one refers to, with its place."""

    dealer_code: str
    program_year: int
    account_kind: AccountKind
    sequence: int
    kind: EntryKind
    source: str
    amount_cents: int
    effective_on: date

    @property
    def words(self) -> str:
        """What it is, in words."""
        return f"{ENTRY_WORDS[self.kind]} {self.source}".strip()


@dataclass(frozen=True)
class Side:
    """One of the two accounts an entry is posted to, and its place there."""

    account_kind: AccountKind
    words: str
    sequence: int
    amount_cents: int
    balance_cents: int
    digest: str
    previous_digest: str

    @property
    def before_cents(self) -> int:
        """The balance before this posting."""
        return self.balance_cents - self.amount_cents


@dataclass(frozen=True)
class EntryPage:
    """One posting with everything that belongs to it."""

    dealer_code: str
    dealer_name: str
    program_year: int
    currency: str
    entry_id: UUID
    kind: EntryKind
    source: str
    source_digest: str
    memo: str
    idempotency_key: str
    digest_version: int
    actor: str
    posted_at: datetime
    effective_on: date
    own: Side
    issuance: Side
    last_sequence: int
    takes_back: EntryLink | None
    taken_back_by: tuple[EntryLink, ...]
    explanation: Explanation | None

    @property
    def account(self) -> PostingPlace:
        """The account it stands in, and its place there."""
        return PostingPlace(self.dealer_code, self.program_year, self.own.account_kind, self.own.sequence)

    @property
    def words(self) -> str:
        """What it is, in words."""
        return ENTRY_WORDS[self.kind]

    @property
    def previous(self) -> int | None:
        """The sequence of the posting before it; None for the first."""
        return self.own.sequence - 1 or None

    @property
    def next(self) -> int | None:
        """The sequence of the posting after it; None for the last."""
        return self.own.sequence + 1 if self.own.sequence < self.last_sequence else None


def entry_page(
    tx: Session,
    *,
    viewer: Viewer,
    dealer_code: str,
    program_year: int,
    account_kind: AccountKind,
    sequence: int,
    sources: Sequence[EntrySource],
) -> EntryPage:
    """Return one posting of a dealer's own account.

    Raises Refusal(not_found) for another's dealer, a year that cannot be, or a place nothing stands at.
    """
    dealer = dealer_seen_by(tx, viewer, dealer_code)
    guard_program_year(program_year)
    place = (LedgerEntry.dealer_id == dealer.id, LedgerEntry.program_year == program_year)
    found = tx.execute(
        sa.select(LedgerEntry, User.name)
        .outerjoin(User, User.id == LedgerEntry.actor_id)
        .where(*place, LedgerEntry.account_kind == account_kind, LedgerEntry.sequence == sequence)
    ).one_or_none()
    if found is None or account_kind not in TOTAL_KINDS:
        raise Refusal("not_found")
    entry, actor = found
    before = tx.scalars(
        sa.select(LedgerEntry.digest).where(
            *place, LedgerEntry.account_kind == account_kind, LedgerEntry.sequence == sequence - 1
        )
    ).first()
    issued_before = tx.scalars(
        sa.select(LedgerEntry.issuance_digest).where(
            *place, LedgerEntry.issuance_sequence == entry.issuance_sequence - 1
        )
    ).first()
    head = tx.get_one(LedgerAccount, (dealer.id, program_year, account_kind))
    return EntryPage(
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        program_year=program_year,
        currency=currency_of(tx, program_year),
        entry_id=entry.id,
        kind=entry.kind,
        source=entry.source,
        source_digest=entry.source_digest,
        memo=entry.memo,
        idempotency_key=entry.idempotency_key,
        digest_version=entry.digest_version,
        actor=actor or "",
        posted_at=entry.posted_at,
        effective_on=entry.effective_on,
        own=Side(
            account_kind=account_kind,
            words=ACCOUNT_WORDS[account_kind],
            sequence=sequence,
            amount_cents=entry.amount_cents,
            balance_cents=entry.balance_cents,
            digest=entry.digest,
            previous_digest=before or CHAIN_START,
        ),
        issuance=Side(
            account_kind=AccountKind.ISSUANCE,
            words=ACCOUNT_WORDS[AccountKind.ISSUANCE],
            sequence=entry.issuance_sequence,
            amount_cents=-entry.amount_cents,
            balance_cents=entry.issuance_balance_cents,
            digest=entry.issuance_digest,
            previous_digest=issued_before or CHAIN_START,
        ),
        last_sequence=head.sequence,
        takes_back=_first(_links(tx, dealer.code, dealer.id, LedgerEntry.id == entry.related_entry_id)),
        taken_back_by=tuple(_links(tx, dealer.code, dealer.id, LedgerEntry.related_entry_id == entry.id)),
        explanation=_explained(tx, viewer, entry, sources),
    )


def entry_links(
    tx: Session, *, dealer_code: str, dealer_id: UUID, entry_ids: Iterable[UUID]
) -> dict[UUID, EntryLink]:
    """Return where the entries of a dealer are posted, by their ids."""
    ids = list(entry_ids)
    rows = tx.scalars(
        sa.select(LedgerEntry).where(LedgerEntry.dealer_id == dealer_id, LedgerEntry.id.in_(ids))
    )
    return {row.id: _link(dealer_code, row) for row in rows} if ids else {}


def _links(
    tx: Session, dealer_code: str, dealer_id: UUID, condition: sa.ColumnElement[bool]
) -> Iterable[EntryLink]:
    rows = tx.scalars(
        sa.select(LedgerEntry)
        .where(LedgerEntry.dealer_id == dealer_id, condition)
        .order_by(LedgerEntry.posted_at, LedgerEntry.id)
    )
    return [_link(dealer_code, row) for row in rows]


def _link(dealer_code: str, row: LedgerEntry) -> EntryLink:
    return EntryLink(
        dealer_code=dealer_code,
        program_year=row.program_year,
        account_kind=row.account_kind,
        sequence=row.sequence,
        kind=row.kind,
        source=row.source,
        amount_cents=row.amount_cents,
        effective_on=row.effective_on,
    )


def _first(links: Iterable[EntryLink]) -> EntryLink | None:
    return next(iter(links), None)


def _explained(
    tx: Session, viewer: Viewer, entry: LedgerEntry, sources: Sequence[EntrySource]
) -> Explanation | None:
    for explain in sources:
        found = explain(tx, viewer=viewer, dealer_id=entry.dealer_id, entry_id=entry.id)
        if found is not None:
            return found
    return None
