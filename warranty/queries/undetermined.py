"""What lacks something before its warranty is determined, grouped by what is to be said, and where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import Viewer
from warranty.models.sources import InstalledSource
from warranty.queries.sources import sources_seen_by
from warranty.states import Lacking

GROUPS = 200
"""Groups of each kind that are shown, those of the most units first."""


@dataclass(frozen=True)
class FamilyGroup:
    """Sources of one family that have no terms on the day they were ordered."""

    family: str
    sources: int
    units: int
    first_ordered_on: date
    last_ordered_on: date


@dataclass(frozen=True)
class ProjectGroup:
    """Sources of one project that wait for the same thing."""

    lacking: Lacking
    referral_ref: str
    project_name: str
    place: str
    dealer_name: str
    account_name: str
    is_mine: bool
    """Whether the viewer's company is the account that can record it."""
    sources: int
    units: int


@dataclass(frozen=True)
class Undetermined:
    """All that waits for something, of what the viewer may see."""

    families: tuple[FamilyGroup, ...]
    projects: tuple[ProjectGroup, ...]
    has_more: bool
    """Whether there are more groups than are shown."""

    def waiting_for(self, lacking: str) -> tuple[ProjectGroup, ...]:
        """Return the projects whose sources wait for this."""
        return tuple(group for group in self.projects if group.lacking == lacking)

    @property
    def units(self) -> int:
        """How many units the groups hold together."""
        return sum(group.units for group in self.families) + sum(group.units for group in self.projects)


def undetermined_sources(tx: Session, *, viewer: Viewer) -> Undetermined:
    """Return what waits for something, in two statements along the index of what lacks."""
    families = tx.execute(families_without_terms(viewer)).all()
    projects = tx.execute(projects_lacking(viewer)).all()
    return Undetermined(
        families=tuple(
            FamilyGroup(family, int(sources), int(units), first_on, last_on)
            for family, sources, units, first_on, last_on in families[:GROUPS]
        ),
        projects=tuple(
            ProjectGroup(
                lacking=lacking,
                referral_ref=str(PublicNumber("R", dealer.code, referral.number)),
                project_name=referral.project_name,
                place=referral.place,
                dealer_name=dealer.name,
                account_name=account.name,
                is_mine=account.id == viewer.company_id,
                sources=int(sources),
                units=int(units),
            )
            for lacking, sources, units, referral, dealer, account in projects[:GROUPS]
        ),
        has_more=len(families) > GROUPS or len(projects) > GROUPS,
    )


def families_without_terms(viewer: Viewer) -> sa.Select[str, int, int, date, date]:
    """Return the statement of the families that lack terms, most units first."""
    units = sa.func.sum(InstalledSource.quantity)
    return (
        sources_seen_by(viewer)
        .where(InstalledSource.lacking == Lacking.TERMS)
        .with_only_columns(
            InstalledSource.family,
            sa.func.count(),
            units,
            sa.func.min(InstalledSource.ordered_on),
            sa.func.max(InstalledSource.ordered_on),
        )
        .group_by(InstalledSource.family)
        .order_by(units.desc(), InstalledSource.family)
        .limit(GROUPS + 1)
    )


def projects_lacking(viewer: Viewer) -> sa.Select[Lacking, int, int, Referral, Company, Company]:
    """Return the statement of the projects whose sources lack a day or what they replaced, most units first."""
    source = InstalledSource
    units = sa.func.sum(source.quantity)
    each = (
        sources_seen_by(viewer)
        .where(source.lacking.in_(sorted(set(Lacking) - {Lacking.TERMS})))
        .with_only_columns(
            source.lacking.label("lacking"),
            source.dealer_id.label("dealer_id"),
            source.account_id.label("account_id"),
            source.referral_id.label("referral_id"),
            sa.func.count().label("sources"),
            units.label("units"),
        )
        .group_by(source.lacking, source.dealer_id, source.account_id, source.referral_id)
        .order_by(units.desc(), source.dealer_id, source.referral_id, source.account_id, source.lacking)
        .limit(GROUPS + 1)
        .subquery()
    )
    dealer, account = aliased(Company), aliased(Company)
    return (
        sa.select(each.c.lacking, each.c.sources, each.c.units, Referral, dealer, account)
        .join(Referral, sa.and_(Referral.dealer_id == each.c.dealer_id, Referral.id == each.c.referral_id))
        .join(dealer, dealer.id == each.c.dealer_id)
        .join(account, account.id == each.c.account_id)
        .order_by(each.c.units.desc(), dealer.code, Referral.number, account.code, each.c.lacking)
    )
