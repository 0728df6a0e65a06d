"""The page of an agreement: what it grants, for which sites, for how much, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.models import User
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.exchange_rates import program_currency
from referral.queries.settings import today
from support.models.agreements import Agreement
from support.queries.agreement_book import AgreementBook, book_of_agreement
from support.queries.agreement_families import FamilyRow, families_at
from support.queries.agreement_sites import AgreementSiteRow, platforms_at, sites_of_agreements
from support.queries.agreement_terms import agreement_ref, prices_of
from support.queries.agreement_visits import AgreementVisits, agreement_visits
from support.queries.agreements import AgreementRow, found_by, rows_of, successor_of
from support.queries.catalogue import entry_for, offer_by_id
from support.queries.seen import agreement_by_ref
from support.rules.agreements import (
    PriceLine,
    PriceSums,
    against_selling,
    price_sums,
    say_gap,
    say_quota,
    say_unmet,
)
from support.rules.offers import Grant, Offer, granted
from support.rules.quotas import ContractYear, contract_years
from support.states import BINDING_STATES, AgreementState, EntryKind


@dataclass(frozen=True)
class GrantWords:
    """A grant as pages say it."""

    grant: Grant
    amount: str
    """How much of it a contract year; '' where it is without a count."""


@dataclass(frozen=True)
class ChartGrants:
    """The grants of one chart of the offer."""

    chart: str
    grants: tuple[GrantWords, ...]


@dataclass(frozen=True)
class Renewal:
    """Another agreement before or after this one."""

    ref: str
    starts_on: date
    last_on: date
    gap: str
    """What the two leave open or cover twice, in a sentence; '' where the one follows on the other."""


@dataclass(frozen=True)
class AgreementPage:
    """An agreement with all that its page shows, and what the viewer can do."""

    row: AgreementRow
    agreement: Agreement
    offer: Offer
    day: date
    """Today."""
    charts: tuple[ChartGrants, ...]
    sites: tuple[AgreementSiteRow, ...]
    years: tuple[ContractYear, ...]
    prices: tuple[PriceLine, ...]
    sums: PriceSums
    currency: str
    families: tuple[FamilyRow, ...]
    unmet: tuple[str, ...]
    """What is granted for systems of which none is recorded at a site."""
    against: tuple[str, ...]
    """What stands against offering the draft as it is."""
    continues: Renewal | None
    continued_by: Renewal | None
    people: Mapping[UUID, str]
    visits: AgreementVisits
    book: AgreementBook
    """Meters, uses, what was bought more, and the requirements."""
    is_outdated: bool
    """Whether its offer has a newer version."""
    is_dealers: bool
    """Whether the viewer's company is its dealer."""
    may_build: bool
    may_offer: bool
    may_accept: bool
    may_withdraw: bool
    may_terminate: bool

    @property
    def ref(self) -> str:
        """Its public number."""
        return self.row.ref

    @property
    def choices(self) -> Mapping[str, int | bool | None]:
        """What it says of the grants that were to be chosen."""
        said: dict[str, int | bool | None] = json.loads(self.agreement.choices)
        return said

    @property
    def is_binding(self) -> bool:
        """Whether its terms were accepted."""
        return self.agreement.state in BINDING_STATES

    @property
    def is_to_price(self) -> bool:
        """Whether the viewer states its prices next."""
        return self.may_offer and self.agreement.state is AgreementState.DRAFT

    @property
    def is_to_accept(self) -> bool:
        """Whether the viewer accepts or declines it next."""
        return self.may_accept and self.agreement.state is AgreementState.OFFERED

    @property
    def is_to_edit(self) -> bool:
        """Whether the viewer can change the draft."""
        return self.may_build and self.agreement.state is AgreementState.DRAFT

    @property
    def is_to_revise(self) -> bool:
        """Whether the viewer can take it back to a draft."""
        return self.may_build and self.agreement.state in {AgreementState.OFFERED, AgreementState.DECLINED}

    @property
    def is_to_renew(self) -> bool:
        """Whether the viewer can continue it."""
        return self.may_build and self.is_binding and self.continued_by is None

    @property
    def next_on(self) -> date:
        """The day on which another would continue it: the day after its last one, today where that is past."""
        return max(self.agreement.last_on + timedelta(days=1), self.day)

    @property
    def next_gap(self) -> str:
        """What lies open between it and the earliest renewal, in a sentence; '' where nothing does."""
        return say_gap(self.agreement.last_on, self.next_on)

    @property
    def is_late(self) -> bool:
        """Whether it is offered, and its first day is over: nobody can accept it so."""
        return self.agreement.state is AgreementState.OFFERED and self.agreement.starts_on < self.day


def agreement_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> AgreementPage:
    """Return an agreement the viewer may see. Raises Refusal(not_found)."""
    wanted = tx.scalars(agreement_by_ref(tx, viewer, ref)).one_or_none()
    if wanted is None:
        raise Refusal("not_found")
    day = today(tx, at)
    found = tx.execute(
        found_by(viewer).where(Agreement.dealer_id == wanted.dealer_id, Agreement.id == wanted.id)
    ).one()
    agreement: Agreement = found[0]
    row = rows_of(tx, [found], day)[0]
    offer = offer_by_id(tx, agreement.offer_id)
    choices = json.loads(agreement.choices)
    grants = granted(offer, choices)
    sites = tuple(sites_of_agreements(tx, [agreement]).get(agreement.id, ()))
    at_sites = platforms_at(
        tx,
        dealer_id=agreement.dealer_id,
        site_ids=[site.site_id for site in sites],
        on=max(day, agreement.starts_on),
    )
    platforms = {site.label: at_sites[site.site_id] for site in sites}
    prices = prices_of(tx, agreement)
    newest = entry_for(tx, EntryKind.OFFER, offer.key, at=at)
    is_dealers = viewer.company_id == agreement.dealer_id and viewer.acts_as(CompanyKind.DEALER)
    is_program = viewer.acts_as(CompanyKind.PROGRAM)
    people = _people(tx, agreement)
    maker_company = tx.scalars(sa.select(User.company_id).where(User.id == agreement.made_by)).one()
    may_build = viewer.may(Permission.AGREEMENT_BUILD)
    against = against_selling(
        offer, months=agreement.months, license_cents=agreement.license_cents, platforms=platforms
    )
    is_live = agreement.state is AgreementState.ACCEPTED and agreement.last_on > day
    return AgreementPage(
        row=row,
        agreement=agreement,
        offer=offer,
        day=day,
        charts=charts_of(grants),
        sites=sites,
        years=contract_years(agreement.starts_on, agreement.months, agreement.last_on),
        prices=prices,
        sums=price_sums(prices),
        currency=currency_of(tx, agreement, day),
        families=families_at(tx, agreement, grants, [site.site_id for site in sites], at=at),
        unmet=say_unmet(grants, platforms),
        against=tuple(each.message for each in against) if agreement.state is AgreementState.DRAFT else (),
        continues=_before(tx, row, agreement),
        continued_by=_after(tx, row, agreement),
        book=book_of_agreement(tx, viewer, agreement, at=at),
        people=people,
        visits=agreement_visits(tx, viewer=viewer, at=at, ref=ref),
        is_outdated=newest is not None and newest.id != agreement.offer_id,
        is_dealers=is_dealers,
        may_build=may_build,
        may_offer=viewer.may(Permission.AGREEMENT_OFFER),
        may_accept=viewer.may(Permission.AGREEMENT_ACCEPT) and is_dealers,
        may_withdraw=may_build
        and (is_dealers or is_program or viewer.company_id == maker_company)
        and agreement.state in {AgreementState.DRAFT, AgreementState.OFFERED, AgreementState.DECLINED},
        may_terminate=viewer.may(Permission.AGREEMENT_END) and (is_dealers or is_program) and is_live,
    )


def currency_of(tx: Session, agreement: Agreement, day: date) -> str:
    """Return the currency of an agreement's prices: the one its terms name, else the program's of today."""
    if agreement.terms:
        return str(json.loads(agreement.terms)["currency"])
    return program_currency(tx, day)


def charts_of(grants: Sequence[Grant]) -> tuple[ChartGrants, ...]:
    """Return grants by the chart they stand in, in the order of the offer."""
    charts: dict[str, list[GrantWords]] = {}
    for grant in grants:
        charts.setdefault(grant.chart, []).append(GrantWords(grant, say_quota(grant)))
    return tuple(ChartGrants(chart, tuple(words)) for chart, words in charts.items())


def _before(tx: Session, row: AgreementRow, agreement: Agreement) -> Renewal | None:
    if agreement.renews_id is None:
        return None
    old = tx.get_one(Agreement, (agreement.dealer_id, agreement.renews_id))
    return Renewal(
        agreement_ref(row.dealer_code, old),
        old.starts_on,
        old.last_on,
        say_gap(old.last_on, agreement.starts_on),
    )


def _after(tx: Session, row: AgreementRow, agreement: Agreement) -> Renewal | None:
    ref = successor_of(tx, agreement)
    if ref is None:
        return None
    new = tx.scalars(
        sa.select(Agreement).where(
            Agreement.dealer_id == agreement.dealer_id, Agreement.number == int(ref.rpartition("-")[2])
        )
    ).one()
    return Renewal(
        agreement_ref(row.dealer_code, new),
        new.starts_on,
        new.last_on,
        say_gap(agreement.last_on, new.starts_on),
    )


def _people(tx: Session, agreement: Agreement) -> dict[UUID, str]:
    ids = {
        agreement.made_by,
        agreement.offered_by,
        agreement.accepted_by,
        agreement.closed_by,
    } - {None}
    return {row.id: row.name for row in tx.execute(sa.select(User.id, User.name).where(User.id.in_(ids)))}
