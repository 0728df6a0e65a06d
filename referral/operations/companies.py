"""Companies, their dated account numbers and Ketra qualifications."""

from __future__ import annotations

import re
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import AccountNumber, Company, Qualification
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import CompanyKind, Permission, Viewer
from referral.rules import parse_families, periods_overlap
from referral.text import fold_account_number

_CODE = re.compile(r"\A[A-Z][A-Z0-9]{2,7}\Z")


def add_company(
    tx: Session,
    *,
    actor: Viewer | None,
    at: datetime,
    code: str,
    name: str,
    kinds: frozenset[CompanyKind],
    city: str,
    region: str,
    serves: str,
    active_from: date,
) -> Company:
    """A company exists from `active_from` on; its code never changes. `actor` None is the command line.

    Raises Refusal(forbidden), (code_taken), (invalid_input).
    """
    if actor is not None:
        guard_permission(actor, Permission.COMPANY_MANAGE)
    code = code.strip().upper()
    if not _CODE.match(code):
        raise Refusal("invalid_input", "Use 3 to 8 letters and digits, a letter first.", "code")
    if not kinds:
        raise Refusal("invalid_input", "Choose at least one kind.", "kinds")
    if CompanyKind.PROGRAM in kinds and len(kinds) > 1:
        # A dealer's company admin would hand out the program's roles.
        raise Refusal("invalid_input", "The program's own company is nothing else.", "kinds")
    if tx.scalars(sa.select(Company.id).where(Company.code == code)).first() is not None:
        raise Refusal("code_taken", field="code")
    company = Company(
        id=new_id(),
        code=code,
        name=name,
        is_dealer=CompanyKind.DEALER in kinds,
        is_account=CompanyKind.ACCOUNT in kinds,
        is_program=CompanyKind.PROGRAM in kinds,
        city=city,
        region=region,
        serves=serves,
        active_from=active_from,
        active_to=None,
        created_at=at,
    )
    tx.add(company)
    tx.flush()
    record_event(tx, actor=actor, at=at, company_id=company.id, event="company.added", subject=code)
    return company


def _locked_company(tx: Session, actor: Viewer, code: str) -> Company:
    guard_permission(actor, Permission.COMPANY_MANAGE)
    company = locked(tx, sa.select(Company).where(Company.code == code))
    if company is None:
        raise Refusal("not_found")
    return company


def add_account_number(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    code: str,
    number: str,
    valid_from: date,
    valid_to: date | None,
) -> AccountNumber:
    """The company holds the number from the first to the last day, both included.

    Raises Refusal(forbidden), (not_found), (account_number_missing), (account_number_taken) where a
    company holds the same number on one of these days, (invalid_input) for days in the wrong order.
    """
    guard_permission(actor, Permission.COMPANY_MANAGE)
    # Numbers are given out one after the other: two companies could take one for overlapping days otherwise.
    locked(tx, sa.select(Company).where(Company.is_program).order_by(Company.id).limit(1))
    company = _locked_company(tx, actor, code)
    _guard_days(valid_from, valid_to)
    folded = fold_account_number(number)
    if not folded:
        raise Refusal("account_number_missing", field="number")
    if not folded.isalnum():
        raise Refusal("invalid_input", "Use letters, digits, spaces and hyphens only.", "number")
    for other in tx.scalars(sa.select(AccountNumber).where(AccountNumber.folded == folded)):
        if periods_overlap(valid_from, valid_to, other.valid_from, other.valid_to):
            raise Refusal("account_number_taken", field="number")
    row = AccountNumber(
        company_id=company.id,
        id=new_id(),
        number=number.strip(),
        folded=folded,
        valid_from=valid_from,
        valid_to=valid_to,
        created_at=at,
    )
    tx.add(row)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=company.id,
        event="account_number.added",
        subject=code,
        details={"number": row.number, "valid_from": valid_from.isoformat()},
    )
    return row


def end_account_number(
    tx: Session, *, actor: Viewer, at: datetime, code: str, number_id: UUID, valid_to: date
) -> AccountNumber:
    """The company holds the number through `valid_to` and no longer.

    Raises Refusal(forbidden), (not_found), (invalid_input) where the day is before the first.
    """
    company = _locked_company(tx, actor, code)
    row = tx.get(AccountNumber, (company.id, number_id))
    if row is None:
        raise Refusal("not_found")
    _guard_days(row.valid_from, valid_to)
    if row.valid_to is not None and valid_to > row.valid_to:
        raise Refusal("invalid_input", "Add the number again for later days.", "valid_to")
    row.valid_to = valid_to
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=company.id,
        event="account_number.ended",
        subject=code,
        details={"number": row.number, "valid_to": valid_to.isoformat()},
    )
    return row


def add_qualification(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    code: str,
    valid_from: date,
    valid_to: date | None,
    evidence: str,
    families: str = "",
) -> Qualification:
    """The account is Ketra qualified from the first to the last day, both included.

    `families` names what it is qualified for, separated by commas; '' is every family. Raises
    Refusal(forbidden), (not_found) also where the company is no account, (invalid_input).
    """
    company = _locked_company(tx, actor, code)
    if not company.is_account:
        raise Refusal("invalid_input", "Only an account can be qualified.", "valid_from")
    _guard_days(valid_from, valid_to)
    row = Qualification(
        company_id=company.id,
        id=new_id(),
        valid_from=valid_from,
        valid_to=valid_to,
        evidence=evidence,
        families=parse_families(families),
        created_at=at,
    )
    tx.add(row)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=company.id,
        event="qualification.added",
        subject=code,
        details={"valid_from": valid_from.isoformat(), "evidence": evidence, "families": row.families},
    )
    return row


def end_qualification(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    code: str,
    qualification_id: UUID,
    valid_to: date,
    reason: str,
) -> Qualification:
    """The qualification ends with `valid_to`. What was submitted and ordered keeps standing.

    A day in the past changes nothing else: what was done after it is listed for review.

    Raises Refusal(forbidden), (not_found), (reason_required), (invalid_input).
    """
    company = _locked_company(tx, actor, code)
    guard_reason(reason)
    row = tx.get(Qualification, (company.id, qualification_id))
    if row is None:
        raise Refusal("not_found")
    _guard_days(row.valid_from, valid_to)
    if row.valid_to is not None and valid_to > row.valid_to:
        raise Refusal("invalid_input", "Add a qualification for later days.", "valid_to")
    row.valid_to = valid_to
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=company.id,
        event="qualification.ended",
        subject=code,
        details={"valid_to": valid_to.isoformat(), "reason": reason},
    )
    return row


def _guard_days(valid_from: date, valid_to: date | None) -> None:
    if valid_to is not None and valid_to < valid_from:
        raise Refusal("invalid_input", "The last day is before the first.", "valid_to")
