"""Closing a program year: begun once for the year, then one dealer at a time, each in its own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount
from ledger.models.levels import LevelSet
from ledger.models.years import YearClose, YearClosing
from ledger.operations.entries import open_accounts
from ledger.operations.evidence import witness
from ledger.queries.credit import guard_program_year
from ledger.queries.levels import level_steps
from ledger.queries.open_items import OpenItems, open_items_of
from ledger.queries.years import dealers_to_close, digest_of_close
from ledger.rules.credit import standing
from ledger.states import TOTAL_KINDS, AccountKind, EvidenceKind
from referral.db import locked
from referral.errors import Problem, Refusal
from referral.models import Company, User, UserRole
from referral.money import format_cents
from referral.operations.records import guard_permission, queue_mail, record_event
from referral.permissions import CompanyKind, Permission, Role, Viewer
from referral.queries.settings import today

_DEALER_ROLES = [role for role in Role if role.company_kind is CompanyKind.DEALER]


def start_closing(
    tx: Session,
    *,
    actor: Viewer | None,
    at: datetime,
    program_year: int,
    reason: str,
    open_items: Sequence[OpenItems],
) -> YearClosing:
    """The closing of the year has begun: the levels that decide are fixed, what is still open is kept in words.

    `open_items` ask each floor; `actor` is None for the command line. Until its dealers are closed one by
    one, each can still be posted to. Raises Refusal(forbidden), (not_found) for a year that cannot be,
    (year_not_over), (year_closed) where a closing has begun before, (levels_missing), (open_items) with each
    item as a problem unless a reason is given.
    """
    _guard_may_close(actor)
    guard_program_year(program_year)
    if today(tx, at) <= date(program_year, 12, 31):
        raise Refusal("year_not_over")
    before = tx.get(YearClosing, program_year)
    if before is not None:
        is_closed = before.finished_at is not None
        raise Refusal("year_closed", "" if is_closed else "The closing of this year has begun already.")
    version = tx.scalar(
        sa.select(sa.func.max(LevelSet.version)).where(LevelSet.level_year == program_year + 1)
    )
    if version is None:
        raise Refusal(
            "levels_missing", f"Set the levels for {program_year + 1} first: this year decides them."
        )
    items = [item.words for item in open_items_of(tx, open_items, program_year=program_year, at=at)]
    if items and not reason.strip():
        problems = tuple(Problem("open_items", words, "reason") for words in items)
        raise Refusal("open_items", field="reason", problems=problems)
    closing = YearClosing(
        program_year=program_year,
        level_version=version,
        open_items=items,
        reason=reason.strip(),
        started_by=None if actor is None else actor.user_id,
        started_at=at,
        finished_at=None,
    )
    tx.add(closing)
    tx.flush()
    _record(
        tx,
        actor,
        at,
        "year.closing_started",
        program_year,
        {"open_items": len(items), "reason": reason.strip()},
    )
    return closing


def close_dealer_year(
    tx: Session, *, actor: Viewer | None, at: datetime, dealer_id: UUID, program_year: int
) -> YearClose:
    """The dealer's program year is closed: nothing more is posted to it, totals and level are frozen.

    A second call answers with what the first one froze. The dealer's people are told by mail. Raises
    Refusal(forbidden), (not_found) where no closing has begun or there is no such dealer, (year_closed) for a
    dealer that joined after it began.
    """
    _guard_may_close(actor)
    closing = tx.get(YearClosing, program_year)
    dealer = tx.scalars(sa.select(Company).where(Company.id == dealer_id, Company.is_dealer)).one_or_none()
    if closing is None or dealer is None:
        raise Refusal("not_found")
    accounts = _locked_accounts(tx, at, dealer_id, program_year)
    before = tx.get(YearClose, (dealer_id, program_year))
    if before is not None:
        return before
    closed_at = max(each for each in (at, *(row.posted_at for row in accounts)) if each is not None)
    row = _make_close(tx, dealer, closing, accounts)
    row.closed_by, row.closed_at = None if actor is None else actor.user_id, closed_at
    row.digest = digest_of_close(row)
    for account in accounts:
        account.closed_at = closed_at
    tx.add(row)
    tx.flush()
    witness(
        tx,
        actor=actor,
        at=closed_at,
        dealer_id=dealer_id,
        kind=EvidenceKind.YEAR_CLOSE,
        subject=str(program_year),
        content_digest=row.digest,
    )
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer_id,
        event="year.closed",
        subject=str(program_year),
        details={"total_cents": row.total_cents, "level": row.level_name, "digest": row.digest},
    )
    _tell_dealer(tx, at, dealer, row)
    return row


def finish_closing(tx: Session, *, actor: Viewer | None, at: datetime, program_year: int) -> YearClosing:
    """The year is closed once every dealer that existed when its closing began is; until then nothing changes.

    Raises Refusal(forbidden), (not_found) where no closing has begun.
    """
    _guard_may_close(actor)
    closing = locked(tx, sa.select(YearClosing).where(YearClosing.program_year == program_year))
    if closing is None:
        raise Refusal("not_found")
    if closing.finished_at is None and not dealers_to_close(tx, program_year=program_year, limit=1):
        closing.finished_at = at
        _record(
            tx, actor, at, "year.closing_finished", program_year, {"level_version": closing.level_version}
        )
    return closing


# steps ------------------------------------------------------------------------------------------


def _guard_may_close(actor: Viewer | None) -> None:
    if actor is not None:
        guard_permission(actor, Permission.YEAR_CLOSE)


def _locked_accounts(
    tx: Session, at: datetime, dealer_id: UUID, program_year: int
) -> Sequence[LedgerAccount]:
    """Lock all accounts of the dealer's year, in order of their kind; open those that are missing."""
    of_year = (LedgerAccount.dealer_id == dealer_id, LedgerAccount.program_year == program_year)
    missing = set(AccountKind) - set(tx.scalars(sa.select(LedgerAccount.kind).where(*of_year)))
    if missing:
        open_accounts(tx, at=at, dealer_id=dealer_id, program_year=program_year, kinds=missing)
    return tx.scalars(
        sa.select(LedgerAccount)
        .where(*of_year)
        .order_by(LedgerAccount.kind)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _make_close(
    tx: Session, dealer: Company, closing: YearClosing, accounts: Sequence[LedgerAccount]
) -> YearClose:
    heads = {row.kind: row for row in accounts}
    credit, other = (heads[kind].balance_cents for kind in TOTAL_KINDS)
    level = standing(credit + other, level_steps(tx, closing.program_year + 1)).level
    if level is None:
        raise AssertionError("a closing begins with levels")
    return YearClose(
        dealer_id=dealer.id,
        program_year=closing.program_year,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        currency=heads[AccountKind.SALES_CREDIT].currency,
        sales_credit_cents=credit,
        other_purchases_cents=other,
        total_cents=credit + other,
        level_year=closing.program_year + 1,
        level_version=closing.level_version,
        level_name=level.name,
        threshold_cents=level.threshold_cents,
        heads={
            row.kind.value: {
                "sequence": row.sequence,
                "balance_cents": row.balance_cents,
                "digest": row.digest,
            }
            for row in accounts
        },
    )


def _tell_dealer(tx: Session, at: datetime, dealer: Company, row: YearClose) -> None:
    """Owe a mail to each active person of the dealer, once whatever roles they have."""
    recipients = tx.scalars(
        sa.select(User.email)
        .where(
            User.company_id == row.dealer_id,
            User.is_active,
            sa.exists().where(UserRole.user_id == User.id, UserRole.role.in_(_DEALER_ROLES)),
        )
        .order_by(User.email_folded)
    ).all()
    for recipient in recipients:
        queue_mail(
            tx,
            at=at,
            recipient=recipient,
            subject=f"{row.program_year} is closed: your level for {row.level_year} is {row.level_name}",
            body=(
                f"Sales credit: {format_cents(row.sales_credit_cents)} {row.currency}\n"
                f"Other purchases: {format_cents(row.other_purchases_cents)} {row.currency}\n"
                f"Total: {format_cents(row.total_cents)} {row.currency}\n\n"
                f"Nothing more is posted to {row.program_year}. What is taken back from now on counts in the present "
                "year and names the old one.\n"
                f"Digest: {row.digest}\n"
            ),
            path=f"/credit/{dealer.code}/{row.program_year}",
            is_digestible=True,
        )


def _record(
    tx: Session, actor: Viewer | None, at: datetime, event: str, program_year: int, details: dict[str, object]
) -> None:
    """Record what concerns the whole year as an event of the program."""
    program_id = tx.scalars(
        sa.select(Company.id).where(Company.is_program).order_by(Company.created_at, Company.id).limit(1)
    ).one()
    record_event(
        tx, actor=actor, at=at, company_id=program_id, event=event, subject=str(program_year), details=details
    )
