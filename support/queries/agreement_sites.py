"""Sites as agreements name them, the systems recorded at them, and which of them somebody may choose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import Viewer
from referral.queries.referrals import referrals_seen_by
from referral.states import ReferralState
from support.models.agreements import Agreement, AgreementSite, SiteSystem
from support.rules.agreements import SiteTerm
from support.states import Platform
from warranty.models.sources import Site

MOST_SITES = 400
"""Sites of the newest projects that a form offers."""
_SITE = re.compile(r"\A(R-[A-Z0-9]{3,8}-[1-9][0-9]{0,8})/([1-9][0-9]{0,5})\Z")
_Dealer, _Account = aliased(Company), aliased(Company)


@dataclass(frozen=True)
class SiteChoice:
    """A site that an agreement can be for. `site_id` is None for a project's own place that is not recorded yet."""

    ref: str
    """The referral's number and the site's: R-HARBOR-3/1."""
    site_id: UUID | None
    referral_id: UUID
    dealer_id: UUID
    account_id: UUID
    name: str
    place: str
    project_name: str
    account_name: str

    @property
    def words(self) -> str:
        """The site in one line."""
        place = "" if self.place in {"", self.name} else f", {self.place}"
        return f"{self.name}{place}"

    @property
    def label(self) -> str:
        """The site by its name and number, in sentences."""
        return f"{self.name} ({self.ref})"


def site_ref(dealer_code: str, referral_number: int, site_number: int) -> str:
    """Return how a site is named to people and programs: R-HARBOR-3/1."""
    return f"{PublicNumber('R', dealer_code, referral_number)}/{site_number}"


def parse_site_ref(text: str) -> tuple[str, int] | None:
    """Return the referral's number and the site's, or None where the text names no site."""
    match = _SITE.match(text)
    return None if match is None else (match[1], int(match[2]))


def sites_to_choose(
    tx: Session, *, viewer: Viewer, dealer_id: UUID | None = None, refs: Iterable[str] | None = None
) -> tuple[SiteChoice, ...]:
    """Return the sites of projects the viewer sees, newest project first, those of `refs` alone where they are said.

    Of an accepted project its own place too, where nothing is recorded there yet. `dealer_id` narrows to a dealer.
    """
    statement = (
        referrals_seen_by(viewer)
        .with_only_columns(Referral, _Dealer, _Account)
        .join(_Dealer, _Dealer.id == Referral.dealer_id)
        .join(_Account, _Account.id == Referral.account_id)
        .where(Referral.state.in_((ReferralState.ACCEPTED, ReferralState.CLOSED)))
        .order_by(Referral.id.desc())
        .limit(MOST_SITES)
    )
    if dealer_id is not None:
        statement = statement.where(Referral.dealer_id == dealer_id)
    wanted: set[tuple[str, int]] | None = None
    if refs is not None:
        wanted = {parsed for ref in refs if (parsed := parse_site_ref(ref)) is not None}
        numbers = [(ref.split("-")[1], int(ref.split("-")[2])) for ref, _ in wanted]
        statement = statement.where(
            sa.or_(
                sa.false(),
                *(sa.and_(_Dealer.code == code, Referral.number == number) for code, number in numbers),
            )
        )
    found = tx.execute(statement).all()
    sites = _sites_of(tx, [(row[0].dealer_id, row[0].id) for row in found])
    choices = []
    for project, dealer, account in found:
        there: Sequence[Site | None] = sites.get((project.dealer_id, project.id), ())
        if not there and project.state is ReferralState.ACCEPTED:
            there = (None,)
        for site in there:
            number = 1 if site is None else site.number
            ref = str(PublicNumber("R", dealer.code, project.number))
            if wanted is None or (ref, number) in wanted:
                choices.append(
                    SiteChoice(
                        ref=f"{ref}/{number}",
                        site_id=None if site is None else site.id,
                        referral_id=project.id,
                        dealer_id=project.dealer_id,
                        account_id=project.account_id,
                        name=project.project_name if site is None else site.name,
                        place=project.place if site is None else site.place,
                        project_name=project.project_name,
                        account_name=account.name,
                    )
                )
    return tuple(choices)


def _sites_of(tx: Session, projects: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], list[Site]]:
    if not projects:
        return {}
    rows = tx.scalars(
        sa.select(Site)
        .where(
            Site.dealer_id.in_({dealer_id for dealer_id, _ in projects}),
            Site.referral_id.in_({referral_id for _, referral_id in projects}),
        )
        .order_by(Site.number)
    )
    found: dict[tuple[UUID, UUID], list[Site]] = {}
    for row in rows:
        found.setdefault((row.dealer_id, row.referral_id), []).append(row)
    return found


@dataclass(frozen=True)
class AgreementSiteRow:
    """A site of an agreement, with its project and qualified account."""

    agreement_id: UUID
    site_id: UUID
    term: SiteTerm
    referral_ref: str
    project_name: str
    account_id: UUID
    account_name: str

    @property
    def words(self) -> str:
        """The site in one line."""
        place = "" if self.term.place in {"", self.term.name} else f", {self.term.place}"
        return f"{self.term.name}{place}"

    @property
    def label(self) -> str:
        """The site by its name and number, in sentences."""
        return f"{self.term.name} ({self.term.ref})"


def sites_of_agreements(tx: Session, agreements: Sequence[Agreement]) -> dict[UUID, list[AgreementSiteRow]]:
    """Return the sites of agreements by agreement id, in order of their numbers. One statement."""
    if not agreements:
        return {}
    rows = tx.execute(
        sa.select(AgreementSite, Site, Referral, _Dealer.code, _Account.code, _Account.name)
        .join(Site, sa.and_(Site.dealer_id == AgreementSite.dealer_id, Site.id == AgreementSite.site_id))
        .join(
            Referral,
            sa.and_(Referral.dealer_id == Site.dealer_id, Referral.id == Site.referral_id),
        )
        .join(_Dealer, _Dealer.id == AgreementSite.dealer_id)
        .join(_Account, _Account.id == AgreementSite.account_id)
        .where(
            AgreementSite.dealer_id.in_({each.dealer_id for each in agreements}),
            AgreementSite.agreement_id.in_([each.id for each in agreements]),
        )
        .order_by(Referral.number, Site.number)
    )
    found: dict[UUID, list[AgreementSiteRow]] = {}
    for link, site, project, dealer_code, account_code, account_name in rows:
        found.setdefault(link.agreement_id, []).append(
            AgreementSiteRow(
                agreement_id=link.agreement_id,
                site_id=site.id,
                term=SiteTerm(
                    ref=site_ref(dealer_code, project.number, site.number),
                    name=site.name,
                    place=site.place,
                    time_zone=site.time_zone,
                    account=account_code,
                ),
                referral_ref=str(PublicNumber("R", dealer_code, project.number)),
                project_name=project.project_name,
                account_id=link.account_id,
                account_name=account_name,
            )
        )
    return found


def sites_again(tx: Session, agreement: Agreement) -> tuple[SiteChoice, ...]:
    """Return the sites of an agreement to be chosen anew, each with the account that has its project by now."""
    rows = tx.execute(
        sa.select(Site, Referral, _Dealer.code, _Account)
        .join(
            AgreementSite,
            sa.and_(AgreementSite.dealer_id == Site.dealer_id, AgreementSite.site_id == Site.id),
        )
        .join(Referral, sa.and_(Referral.dealer_id == Site.dealer_id, Referral.id == Site.referral_id))
        .join(_Dealer, _Dealer.id == Site.dealer_id)
        .join(_Account, _Account.id == Referral.account_id)
        .where(AgreementSite.dealer_id == agreement.dealer_id, AgreementSite.agreement_id == agreement.id)
        .order_by(Referral.number, Site.number)
    )
    return tuple(
        SiteChoice(
            ref=site_ref(code, project.number, site.number),
            site_id=site.id,
            referral_id=project.id,
            dealer_id=site.dealer_id,
            account_id=account.id,
            name=site.name,
            place=site.place,
            project_name=project.project_name,
            account_name=account.name,
        )
        for site, project, code, account in rows
    )


def platforms_at(
    tx: Session, *, dealer_id: UUID, site_ids: Iterable[UUID], on: date
) -> Mapping[UUID, frozenset[Platform]]:
    """Return the kinds of systems at each site on a day, as recorded: the latest word on a kind counts."""
    wanted = frozenset(site_ids)
    if not wanted:
        return {}
    rows = tx.scalars(
        sa.select(SiteSystem)
        .where(SiteSystem.dealer_id == dealer_id, SiteSystem.site_id.in_(wanted), SiteSystem.since_on <= on)
        .order_by(SiteSystem.site_id, SiteSystem.since_on, SiteSystem.number)
    )
    there: dict[UUID, dict[Platform, bool]] = {site_id: {} for site_id in wanted}
    for row in rows:
        there[row.site_id][row.platform] = row.is_there
    return {
        site_id: frozenset(platform for platform, is_there in known.items() if is_there)
        for site_id, known in there.items()
    }
