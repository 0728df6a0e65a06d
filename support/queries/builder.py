"""What the builder of an agreement shows: the offer, the sites to choose from, and what was chosen so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Problem, Refusal
from referral.models import Company
from referral.permissions import CompanyKind, Viewer
from referral.queries.settings import today
from referral.text import say_day
from support.models.agreements import Agreement
from support.models.catalogue import CatalogueEntry
from support.queries.agreement_page import ChartGrants, charts_of, currency_of
from support.queries.agreement_sites import (
    SiteChoice,
    platforms_at,
    sites_again,
    sites_of_agreements,
    sites_to_choose,
)
from support.queries.agreement_terms import agreement_ref, prices_of
from support.queries.catalogue import entry_for, offer_of_entry
from support.queries.seen import agreement_by_ref
from support.rules.agreements import (
    PriceLine,
    PriceSums,
    against_selling,
    choosable,
    fitting_choices,
    price_lines,
    price_sums,
    say_gap,
    say_months,
    say_unmet,
)
from support.rules.offers import Choices, Grant, Offer, granted
from support.rules.quotas import contract_years
from support.states import AgreementState, Choice, EntryKind, Platform
from warranty.rules.months import last_day_of


@dataclass(frozen=True)
class DealerChoice:
    """A dealer that an agreement can be for."""

    code: str
    name: str


@dataclass(frozen=True)
class BuilderPage:
    """An offer to be chosen from, and the sites it can be for."""

    offer: Offer
    day: date
    """Today."""
    sites: tuple[SiteChoice, ...]
    dealers: tuple[DealerChoice, ...]
    """For those who build for several: whose sites are shown is one of them."""
    dealer_code: str
    """'' where a dealer is to be chosen first."""
    agreement: Agreement | None = None
    ref: str = ""
    """Of the draft that is changed; '' of a new one."""
    site_refs: tuple[str, ...] = ()
    prices: tuple[PriceLine, ...] = ()
    currency: str = ""
    renews: str = ""
    renews_last_on: date | None = None

    @property
    def choosable(self) -> tuple[Grant, ...]:
        """The grants that are counted or ticked."""
        return choosable(self.offer)

    @property
    def said(self) -> dict[str, object]:
        """What the draft that is changed says, by the names of the form; nothing of a new one."""
        if self.agreement is None:
            return {}
        return {
            "edit_count": self.agreement.edit_count,
            "customer": self.agreement.customer,
            "sites": list(self.site_refs),
            "starts_on": self.agreement.starts_on,
            "months": self.agreement.months,
            "license_cents": self.agreement.license_cents,
        }

    @property
    def granted_anyway(self) -> tuple[ChartGrants, ...]:
        """What the offer grants without a choice, by chart."""
        return charts_of([grant for grant in self.offer.grants if grant.choice is Choice.ALWAYS])


def builder_page(
    tx: Session, *, viewer: Viewer, at: datetime, offer_key: str, dealer_code: str = ""
) -> BuilderPage:
    """Return what a new agreement of an offer is built from. Raises Refusal(not_found)."""
    offer = _sold_offer(tx, offer_key, at)
    dealers = _dealers(tx, viewer)
    chosen = next((each for each in dealers if each.code == dealer_code), None)
    if dealer_code and chosen is None and dealers:
        raise Refusal("not_found")
    if not dealers:
        sites = sites_to_choose(tx, viewer=viewer)
    elif chosen is None:
        sites = ()
    else:
        dealer_id = tx.scalars(sa.select(Company.id).where(Company.code == chosen.code)).one()
        sites = sites_to_choose(tx, viewer=viewer, dealer_id=dealer_id)
    return BuilderPage(
        offer=offer,
        day=today(tx, at),
        sites=sites,
        dealers=dealers,
        dealer_code=chosen.code if chosen else "" if dealers else viewer.company_code,
    )


def draft_to_edit(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> BuilderPage:
    """Return a draft to be changed, by the newest version of its offer. Raises Refusal(not_found), (not_pending)."""
    agreement = tx.scalars(agreement_by_ref(tx, viewer, ref)).one_or_none()
    if agreement is None:
        raise Refusal("not_found")
    if agreement.state is not AgreementState.DRAFT:
        raise Refusal("not_pending", details={"state": agreement.state.value})
    day = today(tx, at)
    entry = tx.get_one(CatalogueEntry, agreement.offer_id)
    dealer = tx.get_one(Company, agreement.dealer_id)
    there = sites_again(tx, agreement)
    known = {site.ref for site in there}
    more = sites_to_choose(tx, viewer=viewer, dealer_id=agreement.dealer_id)
    before = None if agreement.renews_id is None else tx.get_one(Agreement, (dealer.id, agreement.renews_id))
    return BuilderPage(
        offer=_sold_offer(tx, entry.key, at),
        day=day,
        sites=(*there, *(site for site in more if site.ref not in known)),
        dealers=(),
        dealer_code=dealer.code,
        agreement=agreement,
        ref=ref,
        site_refs=tuple(row.term.ref for row in sites_of_agreements(tx, [agreement]).get(agreement.id, ())),
        prices=prices_of(tx, agreement),
        currency=currency_of(tx, agreement, day),
        renews="" if before is None else agreement_ref(dealer.code, before),
        renews_last_on=None if before is None else before.last_on,
    )


def draft_choices(page: BuilderPage) -> dict[str, int | bool | None]:
    """Return what a draft says of the grants of the newest version of its offer."""
    if page.agreement is None:
        return {}
    return fitting_choices(page.offer, json.loads(page.agreement.choices))


def _sold_offer(tx: Session, key: str, at: datetime) -> Offer:
    entry = entry_for(tx, EntryKind.OFFER, key, at=at)
    offer = None if entry is None else offer_of_entry(tx, entry)
    if offer is None or not offer.is_sold:
        raise Refusal("not_found")
    return offer


def _dealers(tx: Session, viewer: Viewer) -> tuple[DealerChoice, ...]:
    """Return the dealers to choose from, for the program; nobody else is asked."""
    if not viewer.acts_as(CompanyKind.PROGRAM):
        return ()
    rows = tx.execute(
        sa.select(Company.code, Company.name).where(Company.is_dealer).order_by(Company.name, Company.id)
    )
    return tuple(DealerChoice(row.code, row.name) for row in rows)


# what is typed, in words ------------------------------------------------------------------------


@dataclass(frozen=True)
class Typed:
    """What stands in the builder's form, as far as it can be read."""

    sites: tuple[str, ...]
    starts_on: date | None
    months: int | None
    choices: Choices
    license_cents: int | None


@dataclass(frozen=True)
class BuilderWords:
    """What is typed comes to: the grants, the term, the prices where there are some, and what stands against it."""

    charts: tuple[ChartGrants, ...]
    nothing_chosen: bool
    term: str
    against: tuple[Problem, ...]
    notes: tuple[str, ...]
    prices: tuple[PriceLine, ...]
    sums: PriceSums
    years: int


def builder_words(tx: Session, *, page: BuilderPage, typed: Typed) -> BuilderWords:
    """Return what is typed in words. Nothing is saved, and what cannot be read is left out."""
    grants = granted(page.offer, fitting_choices(page.offer, typed.choices))
    platforms = _platforms(tx, page, typed)
    months = typed.months or 0
    against = list(
        against_selling(
            page.offer, months=months or 12, license_cents=typed.license_cents, platforms=platforms
        )
    )
    notes = [*say_unmet(grants, platforms)]
    term, years = "", 0
    if typed.starts_on is not None and months:
        last_on = last_day_of(typed.starts_on, months)
        years = len(contract_years(typed.starts_on, months, last_on))
        term = f"{say_day(typed.starts_on)} to {say_day(last_on)}: {say_months(months)}"
        if typed.starts_on < page.day:
            against.append(Problem("invalid_input", "It starts on a day that is over.", "starts_on"))
    if page.renews_last_on is not None and typed.starts_on is not None:
        gap = say_gap(page.renews_last_on, typed.starts_on)
        notes += (
            [f"{page.renews}, which it continues, ends {say_day(page.renews_last_on)}. {gap}"] if gap else []
        )
    said = [(line.net_cents, line.tax_basis_points, line.tax_cents) for line in page.prices]
    prices = price_lines(typed.starts_on, months, said) if typed.starts_on and months else ()
    return BuilderWords(
        charts=charts_of(grants),
        nothing_chosen=not grants,
        term=term,
        against=tuple(against),
        notes=tuple(notes),
        prices=prices,
        sums=price_sums(prices),
        years=years,
    )


def _platforms(tx: Session, page: BuilderPage, typed: Typed) -> Mapping[str, frozenset[Platform]]:
    chosen = [site for site in page.sites if site.ref in typed.sites]
    by_dealer: dict[UUID, list[SiteChoice]] = {}
    for site in chosen:
        by_dealer.setdefault(site.dealer_id, []).append(site)
    found: dict[str, frozenset[Platform]] = {}
    for dealer_id, sites in by_dealer.items():
        there = platforms_at(
            tx,
            dealer_id=dealer_id,
            site_ids=[site.site_id for site in sites if site.site_id is not None],
            on=max(page.day, typed.starts_on or page.day),
        )
        found |= {
            site.label: there[site.site_id] if site.site_id is not None else frozenset() for site in sites
        }
    return found
