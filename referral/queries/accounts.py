"""Qualified accounts, as a dealer looks for one: where they work, for what, and how much they can take on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.models import AccountProfile, Company, Qualification, Referral
from referral.permissions import Viewer
from referral.queries.companies import is_active_on
from referral.queries.referrals import dealer_of_number, is_running
from referral.queries.settings import setting_on, today


@dataclass(frozen=True)
class AccountChoice:
    """A qualified account a dealer can refer a project to today."""

    code: str
    name: str
    city: str
    region: str
    serves: str
    regions: tuple[str, ...]
    """The regions it says it serves; without a profile, its own."""
    families: tuple[str, ...]
    """The Ketra families it is qualified for; empty is all of them."""
    running: int
    """Projects of all dealers that wait for its answer or that it accepted."""
    capacity: int | None
    """How many it takes on at the same time; None where it does not say."""
    note: str

    @property
    def is_full(self) -> bool:
        """Say whether it has as many projects as it takes on."""
        return self.capacity is not None and self.running >= self.capacity


@dataclass(frozen=True)
class AccountsFound:
    """The accounts that fit, with the regions and families there are to narrow by."""

    accounts: tuple[AccountChoice, ...]
    regions: tuple[str, ...]
    families: tuple[str, ...]
    region: str
    family: str
    qualified_count: int
    """How many there are without narrowing."""


def find_accounts(
    tx: Session, *, viewer: Viewer, at: datetime, region: str = "", family: str = ""
) -> AccountsFound:
    """Return the accounts that serve the region and are qualified for the family; '' does not narrow.

    Those with room first, then those that serve the dealer's region, then by name. The number of statements
    does not grow with the accounts.
    """
    return _found(tx, viewer.company_id, at, region.strip().upper(), family.strip())


def accounts_for(tx: Session, *, at: datetime, ref: str) -> AccountsFound:
    """Return the accounts that could take this referral over. Raises Refusal(not_found)."""
    dealer_id, _ = dealer_of_number(tx, ref, "R")
    return _found(tx, dealer_id, at, "", "")


def qualified_accounts(
    tx: Session, *, viewer: Viewer, at: datetime, region: str = "", family: str = ""
) -> tuple[AccountChoice, ...]:
    """Return the accounts qualified and active today that fit, as `find_accounts` sorts them."""
    return find_accounts(tx, viewer=viewer, at=at, region=region, family=family).accounts


def _found(tx: Session, dealer_id: UUID, at: datetime, region: str, family: str) -> AccountsFound:
    day = today(tx, at)
    home = tx.get_one(Company, dealer_id).region.upper()
    choices = [
        choice
        for company_id, choice in _qualified(tx, day).items()
        if company_id != dealer_id or setting_on(tx, "same_company_allowed", day)
    ]
    fitting = [
        choice
        for choice in choices
        if (not region or region in choice.regions)
        and (not family or not choice.families or family in choice.families)
    ]
    return AccountsFound(
        accounts=tuple(
            sorted(
                fitting,
                key=lambda choice: (choice.is_full, home not in choice.regions, choice.name, choice.code),
            )
        ),
        regions=tuple(sorted({code for choice in choices for code in choice.regions})),
        families=tuple(sorted({name for choice in choices for name in choice.families})),
        region=region,
        family=family,
        qualified_count=len(choices),
    )


def _qualified(tx: Session, day: date) -> dict[UUID, AccountChoice]:
    families = _families_by_company(tx, day)
    counts = tx.execute(
        sa.select(Referral.account_id, sa.func.count()).where(is_running(day)).group_by(Referral.account_id)
    )
    running = dict(counts.all())
    rows = tx.execute(
        sa.select(Company, AccountProfile)
        .outerjoin(AccountProfile, AccountProfile.company_id == Company.id)
        .where(Company.is_account, Company.id.in_(list(families)))
        .order_by(Company.name, Company.id)
    )
    return {
        company.id: _choice(company, profile, families[company.id], running.get(company.id, 0))
        for company, profile in rows
        if is_active_on(company, day)
    }


def _families_by_company(tx: Session, day: date) -> dict[UUID, tuple[str, ...]]:
    """Return what each account is qualified for today; one qualification for all families is for all."""
    named: dict[UUID, list[list[str]]] = {}
    for company_id, families in tx.execute(
        sa.select(Qualification.company_id, Qualification.families)
        .where(
            Qualification.valid_from <= day,
            sa.or_(Qualification.valid_to.is_(None), Qualification.valid_to >= day),
        )
        .order_by(Qualification.company_id, Qualification.id)
    ):
        named.setdefault(company_id, []).append(families)
    return {
        company_id: () if not all(lists) else tuple(sorted({name for names in lists for name in names}))
        for company_id, lists in named.items()
    }


def _choice(
    company: Company, profile: AccountProfile | None, families: tuple[str, ...], running: int
) -> AccountChoice:
    own = (company.region.upper(),) if company.region else ()
    return AccountChoice(
        code=company.code,
        name=company.name,
        city=company.city,
        region=company.region,
        serves=company.serves,
        regions=own if profile is None else tuple(profile.regions),
        families=families,
        running=running,
        capacity=None if profile is None else profile.capacity,
        note="" if profile is None else profile.note,
    )


@dataclass(frozen=True)
class ProfilePage:
    """What the viewer's account says of itself now, and how many projects it has."""

    name: str
    profile: AccountProfile | None
    home_region: str
    running: int
    families: tuple[str, ...] | None
    """What it is qualified for today, empty is all; None where it is not qualified."""


def profile_page(tx: Session, *, viewer: Viewer, at: datetime) -> ProfilePage:
    """Return the profile of the viewer's own account."""
    day = today(tx, at)
    company = tx.get_one(Company, viewer.company_id)
    running = tx.scalar(
        sa.select(sa.func.count())
        .select_from(Referral)
        .where(Referral.account_id == company.id, is_running(day))
    )
    return ProfilePage(
        name=company.name,
        profile=tx.get(AccountProfile, company.id),
        home_region=company.region,
        running=running or 0,
        families=_families_by_company(tx, day).get(company.id),
    )
