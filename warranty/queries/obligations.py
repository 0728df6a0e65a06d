"""What a qualified account still owes in warranty, by project and last day, whether or not it is qualified now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Qualification, Referral
from referral.permissions import CompanyKind, Viewer
from referral.queries.companies import company_by_code, is_qualified_on
from referral.queries.settings import today
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource
from warranty.queries.sources import sources_seen_by
from warranty.states import LIVE_CLAIM_STATES, Lacking

PROJECT_ROWS = 100
"""Projects on one page."""


@dataclass(frozen=True)
class ProjectObligation:
    """What one account owes in one project."""

    referral_ref: str
    project_name: str
    place: str
    dealer_name: str
    account_code: str
    account_name: str
    units: int
    """Units in warranty today, or whose warranty starts later."""
    first_end_on: date | None
    last_end_on: date | None
    undetermined_units: int
    """Units of which nobody can say yet until when they are owed."""
    open_claims: int
    """Claims that wait for an answer, or for the replacement that was accepted."""


@dataclass(frozen=True)
class YearObligation:
    """The units whose warranty ends in a calendar year."""

    year: int
    units: int
    last_end_on: date


@dataclass(frozen=True)
class Obligations:
    """What is owed: by year of the last day, and a page of projects, those that end first on top."""

    account_code: str
    account_name: str
    """Of the account that owes; '' where several do, as a dealer sees it."""
    is_qualified: bool
    qualified_to: date | None
    """The last day of its latest qualification; None where it goes on, or where there never was one."""
    day: date
    units: int
    undetermined_units: int
    open_claims: int
    years: tuple[YearObligation, ...]
    projects: tuple[ProjectObligation, ...]
    after: str | None


_Key = tuple[UUID, UUID, UUID]
"""Dealer, referral, account."""


def owing_accounts(tx: Session) -> tuple[tuple[str, str], ...]:
    """Return code and name of each company that ever was qualified, for the program to choose from."""
    rows = tx.execute(
        sa.select(Company.code, Company.name)
        .where(sa.exists().where(Qualification.company_id == Company.id))
        .order_by(Company.name, Company.code)
    )
    return tuple((code, name) for code, name in rows)


def obligations(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    account_code: str = "",
    after: str | None = None,
    limit: int = PROJECT_ROWS,
) -> Obligations:
    """Return what the account owes: the viewer's own, that of `account_code`, or of all for a dealer's projects.

    The number of statements does not depend on how much is owed. Raises Refusal(not_found) for an account
    that there is not, and for a project to continue after that owes nothing.
    """
    day = today(tx, at)
    account = _account(tx, viewer, account_code)
    rows, years = _owed(tx, viewer, account, day)
    start = 0 if after is None else 1 + _place(rows, after)
    shown = rows[start : start + limit]
    qualified_to = None if account is None else _qualified_to(tx, account.id)
    return Obligations(
        account_code="" if account is None else account.code,
        account_name="" if account is None else account.name,
        is_qualified=account is not None and is_qualified_on(tx, account.id, day),
        qualified_to=qualified_to,
        day=day,
        units=sum(row.units for row in rows),
        undetermined_units=sum(row.undetermined_units for row in rows),
        open_claims=sum(row.open_claims for row in rows),
        years=years,
        projects=tuple(shown),
        after=key_of(shown[-1]) if start + limit < len(rows) else None,
    )


def key_of(row: ProjectObligation) -> str:
    """Return what a list of projects continues after: the project and the account."""
    return f"{row.referral_ref}.{row.account_code}"


def obligation_days(
    tx: Session, *, viewer: Viewer, at: datetime, account_code: str = ""
) -> Iterator[tuple[str, str, str, date, int]]:
    """Yield (referral, project, account, last day, units) of all that is owed, soonest first, streamed."""
    source, dealer, owing = InstalledSource, aliased(Company), aliased(Company)
    account = _account(tx, viewer, account_code)
    units = sa.func.sum(source.quantity)
    statement = (
        _of(viewer, account)
        .where(source.ends_on >= today(tx, at))
        .join(Referral, sa.and_(Referral.dealer_id == source.dealer_id, Referral.id == source.referral_id))
        .join(dealer, dealer.id == source.dealer_id)
        .join(owing, owing.id == source.account_id)
        .with_only_columns(
            dealer.code, Referral.number, Referral.project_name, owing.name, source.ends_on, units
        )
        .group_by(dealer.code, Referral.number, Referral.project_name, owing.name, source.ends_on)
        .order_by(source.ends_on, dealer.code, Referral.number, owing.name)
        .execution_options(yield_per=500)
    )
    for code, number, project, account_name, ends_on, count in tx.execute(statement):
        if ends_on is not None:
            yield str(PublicNumber("R", code, number)), project, account_name, ends_on, int(count)


def _account(tx: Session, viewer: Viewer, code: str) -> Company | None:
    """Return whose obligations are asked for; None is everybody's, for a dealer. Raises Refusal(not_found)."""
    if code and (viewer.acts_as(CompanyKind.PROGRAM) or viewer.acts_as(CompanyKind.DEALER)):
        return company_by_code(tx, code)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        if code and code != viewer.company_code:
            raise Refusal("not_found")
        return tx.get_one(Company, viewer.company_id)
    return None


def _of(viewer: Viewer, account: Company | None) -> sa.Select[InstalledSource]:
    seen = sources_seen_by(viewer)
    return seen if account is None else seen.where(InstalledSource.account_id == account.id)


def _qualified_to(tx: Session, account_id: UUID) -> date | None:
    ends = tx.scalars(sa.select(Qualification.valid_to).where(Qualification.company_id == account_id)).all()
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _owed(
    tx: Session, viewer: Viewer, account: Company | None, day: date
) -> tuple[list[ProjectObligation], tuple[YearObligation, ...]]:
    source = InstalledSource
    key = (source.dealer_id, source.referral_id, source.account_id)
    units: dict[_Key, int] = defaultdict(int)
    ends: dict[_Key, list[date]] = defaultdict(list)
    by_year: dict[int, int] = defaultdict(int)
    last_of: dict[int, date] = {}
    dated = _of(viewer, account).where(source.ends_on >= day)
    for dealer_id, referral_id, account_id, ends_on, count in tx.execute(
        dated.with_only_columns(*key, source.ends_on, sa.func.sum(source.quantity)).group_by(
            *key, source.ends_on
        )
    ):
        if ends_on is None:
            continue
        found = (dealer_id, referral_id, account_id)
        units[found] += int(count)
        ends[found].append(ends_on)
        by_year[ends_on.year] += int(count)
        last_of[ends_on.year] = max(ends_on, last_of.get(ends_on.year, ends_on))
    undetermined = _undetermined_units(tx, viewer, account)
    claims = _open_claims(tx, viewer, account)
    keys = set(units) | set(undetermined) | set(claims)
    referrals, names = _words_of(tx, keys)
    rows = []
    for found in keys:
        referral, (dealer_code, dealer_name) = referrals[found[:2]], names[found[0]]
        days = ends.get(found, [])
        rows.append(
            ProjectObligation(
                referral_ref=str(PublicNumber("R", dealer_code, referral.number)),
                project_name=referral.project_name,
                place=referral.place,
                dealer_name=dealer_name,
                account_code=names[found[2]][0],
                account_name=names[found[2]][1],
                units=units.get(found, 0),
                first_end_on=min(days, default=None),
                last_end_on=max(days, default=None),
                undetermined_units=undetermined.get(found, 0),
                open_claims=claims.get(found, 0),
            )
        )
    rows.sort(key=lambda row: (row.first_end_on or date.max, row.referral_ref, row.account_code))
    years = tuple(YearObligation(year, by_year[year], last_of[year]) for year in sorted(by_year))
    return rows, years


def _undetermined_units(tx: Session, viewer: Viewer, account: Company | None) -> dict[_Key, int]:
    source = InstalledSource
    key = (source.dealer_id, source.referral_id, source.account_id)
    rows = tx.execute(
        _of(viewer, account)
        .where(source.lacking.in_(sorted(Lacking)))
        .with_only_columns(*key, sa.func.sum(source.quantity))
        .group_by(*key)
    )
    return {(dealer, referral, owing): int(count) for dealer, referral, owing, count in rows}


def _open_claims(tx: Session, viewer: Viewer, account: Company | None) -> dict[_Key, int]:
    source = InstalledSource
    key = (source.dealer_id, source.referral_id, source.account_id)
    rows = tx.execute(
        _of(viewer, account)
        .join(Claim, sa.and_(Claim.dealer_id == source.dealer_id, Claim.source_id == source.id))
        .where(Claim.state.in_(sorted(LIVE_CLAIM_STATES)))
        .with_only_columns(*key, sa.func.count())
        .group_by(*key)
    )
    return {(dealer, referral, owing): int(count) for dealer, referral, owing, count in rows}


def _words_of(
    tx: Session, keys: set[_Key]
) -> tuple[Mapping[tuple[UUID, UUID], Referral], Mapping[UUID, tuple[str, str]]]:
    """Return the referrals and the companies' codes and names that the keys name."""
    dealer_ids = {key[0] for key in keys}
    referral_ids = {key[1] for key in keys}
    found = tx.scalars(
        sa.select(Referral).where(Referral.dealer_id.in_(dealer_ids), Referral.id.in_(referral_ids))
    )
    referrals = {(row.dealer_id, row.id): row for row in found}
    company_ids = dealer_ids | {key[2] for key in keys}
    companies = tx.execute(
        sa.select(Company.id, Company.code, Company.name).where(Company.id.in_(company_ids))
    )
    return referrals, {company_id: (code, name) for company_id, code, name in companies}


def _place(rows: list[ProjectObligation], after: str) -> int:
    """Return where the row with this key stands. Raises Refusal(not_found)."""
    for place, row in enumerate(rows):
        if key_of(row) == after:
            return place
    raise Refusal("not_found")
