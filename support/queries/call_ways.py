"""Where a service call is opened, and every way to open it there, by what was recorded at an instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.clock import business_day
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral, User
from referral.permissions import CompanyKind, Viewer
from referral.text import say_day
from support.models.agreements import Agreement, AgreementSite
from support.models.catalogue import CatalogueEntry
from support.queries.agreement_facts import agreement_facts, binding_agreements
from support.queries.agreement_sites import parse_site_ref
from support.queries.agreement_sites import site_ref as say_site_ref
from support.queries.call_facts import calendar_of_entry, policy_of_entry
from support.queries.calls import call_place_words
from support.queries.catalogue import entries_for
from support.queries.seen import agreement_by_ref
from support.queries.systems import systems_at
from support.rules.call_projection import has_priorities
from support.rules.call_ways import BILLABLE_NAME, WARRANTY_NAME, Way, WayKind, best_first, promise_of
from support.rules.entitlement import AgreementFacts, Asked, Option, entitle
from support.states import EntryKind, GrantKind, Platform
from warranty.models.sources import InstalledSource, Site
from warranty.queries.claims_answers import asked_answer, covering_plans
from warranty.queries.sites import seen_project
from warranty.queries.sources import source_by_ref
from warranty.rules.coverage import GRANTED, WARRANTY, Coverage


@dataclass(frozen=True)
class CallPlace:
    """Where help is wanted: a site, and the unit or the kind of system there."""

    dealer_id: UUID
    dealer_code: str
    dealer_name: str
    account_id: UUID
    account_name: str
    site: Site
    referral_ref: str
    project_name: str
    source: InstalledSource | None
    platform: Platform | None

    @property
    def source_ref(self) -> str:
        """The unit's number; '' without one."""
        return "" if self.source is None else str(PublicNumber("U", self.dealer_code, self.source.number))

    @property
    def words(self) -> str:
        """Where, in one line."""
        return call_place_words(
            self.site.name, self.project_name, "" if self.source is None else self.source.model_number
        )

    @property
    def site_ref(self) -> str:
        """The site as people and programs name it: R-HARBOR-3/1."""
        return f"{self.referral_ref}/{self.site.number}"

    @property
    def system(self) -> Platform | None:
        """The kind of system it is about."""
        return self.platform if self.source is None else Platform.KETRA


def call_place(
    tx: Session, viewer: Viewer, *, source_ref: str, site_ref: str, platform: Platform | None
) -> CallPlace:
    """Return where a call is opened: at a unit, or at a site named as R-HARBOR-3/1.

    Raises Refusal(not_found) for what the viewer does not see, (invalid_input) where neither or both are named,
    (forbidden) where the viewer's company takes no part in it.
    """
    if bool(source_ref) is bool(site_ref):
        raise Refusal("invalid_input", "Name a unit, or a site.", "site_ref")
    source = None
    if source_ref:
        source = tx.scalars(source_by_ref(tx, viewer, source_ref)).one_or_none()
        if source is None:
            raise Refusal("not_found")
        site = tx.get_one(Site, (source.dealer_id, source.site_id))
        project = tx.get_one(Referral, (source.dealer_id, source.referral_id))
        account_id = source.account_id
    else:
        project, site = site_of_ref(tx, viewer, site_ref)
        account_id = project.account_id
    if not viewer.acts_as(CompanyKind.PROGRAM) and viewer.company_id not in {project.dealer_id, account_id}:
        raise Refusal("forbidden")
    dealer, account = (tx.get_one(Company, each) for each in (project.dealer_id, account_id))
    return CallPlace(
        dealer_id=project.dealer_id,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        account_id=account_id,
        account_name=account.name,
        site=site,
        referral_ref=str(PublicNumber("R", dealer.code, project.number)),
        project_name=project.project_name,
        source=source,
        platform=None if source is not None else platform,
    )


def site_of_ref(tx: Session, viewer: Viewer, ref: str) -> tuple[Referral, Site]:
    """Return a site the viewer sees, with its project, by a number such as R-HARBOR-3/1. Raises Refusal(not_found)."""
    said = parse_site_ref(ref)
    if said is None:
        raise Refusal("not_found")
    project = seen_project(tx, viewer, said[0])
    site = tx.scalars(
        sa.select(Site).where(
            Site.dealer_id == project.dealer_id,
            Site.referral_id == project.id,
            Site.number == said[1],
        )
    ).one_or_none()
    if site is None:
        raise Refusal("not_found")
    return project, site


def site_ref_of(tx: Session, dealer_id: UUID, site_id: UUID) -> str:
    """Return the number of a site as `call_place` reads it."""
    code, project, number = tx.execute(
        sa.select(Company.code, Referral.number, Site.number)
        .select_from(Site)
        .join(Referral, sa.and_(Referral.dealer_id == Site.dealer_id, Referral.id == Site.referral_id))
        .join(Company, Company.id == Site.dealer_id)
        .where(Site.dealer_id == dealer_id, Site.id == site_id)
    ).one()
    return say_site_ref(code, project, number)


@dataclass(frozen=True)
class CallSite:
    """A site of an agreement, as a choice."""

    ref: str
    words: str


def agreement_sites(tx: Session, *, viewer: Viewer, ref: str) -> tuple[CallSite, ...]:
    """Return the sites of an agreement the viewer sees. Raises Refusal(not_found)."""
    agreement = tx.scalars(agreement_by_ref(tx, viewer, ref)).one_or_none()
    if agreement is None:
        raise Refusal("not_found")
    rows = tx.execute(
        sa.select(Company.code, Referral.number, Referral.project_name, Site.number, Site.name)
        .select_from(AgreementSite)
        .join(Site, sa.and_(Site.dealer_id == AgreementSite.dealer_id, Site.id == AgreementSite.site_id))
        .join(Referral, sa.and_(Referral.dealer_id == Site.dealer_id, Referral.id == Site.referral_id))
        .join(Company, Company.id == Site.dealer_id)
        .where(AgreementSite.dealer_id == agreement.dealer_id, AgreementSite.agreement_id == agreement.id)
        .order_by(Referral.project_name, Referral.number, Site.number)
    )
    return tuple(
        CallSite(say_site_ref(code, project, number), f"{name}, {project_name}")
        for code, project, project_name, number, name in rows
    )


def ways_at(tx: Session, place: CallPlace, *, opened_at: datetime, as_of: datetime) -> tuple[Way, ...]:
    """Return every way to open a call at a place, the one that is taken where none is picked first.

    Agreements, systems, uses and coverage are as they were recorded at `as_of`; versions of policies and
    calendars are those of `opened_at`. The last one is billable work. The number of statements does not depend
    on how many agreements there are.
    """
    day = business_day(opened_at, place.site.time_zone)
    rows = tx.scalars(binding_agreements(place.dealer_id, [place.site.id], as_of)).all()
    agreements = agreement_facts(tx, rows, as_of=as_of)
    handlers = _handlers(tx, rows)
    book = _Book(
        place.site.time_zone,
        {entry.key: entry for entry in entries_for(tx, EntryKind.POLICY, at=opened_at)},
        {entry.key: entry for entry in entries_for(tx, EntryKind.CALENDAR, at=opened_at)},
    )
    asked = Asked(GrantKind.RESPONSE, day, place.site.id, place.site.name, platform=place.system)
    systems = systems_at(tx, place.dealer_id, place.site.id, day=day, as_of=as_of)
    answer = entitle(asked, agreements, systems, book.promises)
    by_id = {facts.id: facts for facts in agreements}
    ways = [
        book.way(option, by_id[option.agreement_id], handlers[option.agreement_id], answer.reasons)
        for option in ((answer.by,) if answer.by else ()) + answer.others
    ]
    ways += [
        book.of_policy(facts, key, handlers[facts.id])
        for facts in agreements
        if facts.year_of(day) is not None
        for key in facts.offer.policies[:1]
    ]
    covers = None if place.source is None else _coverage(tx, place.source, day, as_of)
    if place.source is not None and covers is not None:
        parts = _parts(tx, place.source, covers, day, as_of)
        ways = [replace(way, reasons=(*way.reasons, *parts)) for way in ways]
    reasons = answer.reasons if agreements else ()
    if covers is not None and any(cover.by == WARRANTY for cover in covers.covers):
        ways.append(
            Way(
                WayKind.WARRANTY,
                place.account_id,
                place.account_name,
                f"{WARRANTY_NAME}: {place.account_name} owes the service",
                reasons=covers.reasons,
                covered=1,
            )
        )
    else:
        reasons = (*(covers.reasons if covers else ()), *reasons)
    ways.append(
        Way(
            WayKind.BILLABLE,
            place.account_id,
            place.account_name,
            f"{BILLABLE_NAME} by {place.account_name}",
            reasons=(*reasons, "Nothing is promised by an instant, and the work is billable."),
            billable=1,
        )
    )
    return best_first(ways)


def way_under(tx: Session, place: CallPlace, ways: Sequence[Way], under: str, *, opened_at: datetime) -> Way:
    """Return the way that is picked by its word, or the best; any grant with a policy can be named.

    Raises Refusal(agreement_not_active) for an agreement that does not cover the site on that day, (not_granted)
    for a grant it does not have there, (invalid_input) for a warranty that does not cover the unit.
    """
    if not under:
        return ways[0]
    for way in ways:
        if way.under == under:
            return way
    if under == WayKind.WARRANTY:
        raise Refusal("invalid_input", "No warranty covers this on that day.", "under")
    ref, _, key = under.partition("/")
    day = business_day(opened_at, place.site.time_zone)
    rows = tx.scalars(binding_agreements(place.dealer_id, [place.site.id], opened_at)).all()
    code = place.dealer_code
    row = next((each for each in rows if str(PublicNumber("A", code, each.number)) == ref), None)
    if row is None or not row.starts_on <= day <= row.last_on:
        raise Refusal("agreement_not_active", field="under")
    if not key:
        named = next((way for way in ways if way.agreement_ref == ref), None)
        if named is not None:
            return named
    return _named_way(tx, place, row, key, day=day, opened_at=opened_at)


def _named_way(
    tx: Session, place: CallPlace, row: Agreement, key: str, *, day: date, opened_at: datetime
) -> Way:
    """Return the way of a grant that is named, of whatever kind it is: a converted visit has its own policy."""
    (facts,) = agreement_facts(tx, [row])
    grant = next((each for each in facts.grants if each.key == key), None)
    if grant is None or grant.policy is None:
        raise Refusal("not_granted", field="under")
    systems = systems_at(tx, place.dealer_id, place.site.id, day=day, as_of=opened_at)
    asked = Asked(grant.kind, day, place.site.id, place.site.name, platform=place.system, grant_key=key)
    answer = entitle(asked, [facts], systems, {})
    if answer.by is None:
        raise Refusal("not_granted", " ".join(answer.reasons), "under")
    book = _Book(
        place.site.time_zone,
        {entry.key: entry for entry in entries_for(tx, EntryKind.POLICY, at=opened_at)},
        {entry.key: entry for entry in entries_for(tx, EntryKind.CALENDAR, at=opened_at)},
    )
    return book.way(answer.by, facts, _handlers(tx, [row])[row.id], answer.reasons)


@dataclass(frozen=True)
class _Book:
    """The policies and calendars of the catalogue as they hold at an instant, by key, for a site in a zone."""

    time_zone: str
    policies: Mapping[str, CatalogueEntry]
    calendars: Mapping[str, CatalogueEntry]

    @property
    def promises(self) -> dict[str, timedelta]:
        """How long each policy takes to its first obligation."""
        return {key: promise_of(policy_of_entry(entry)) for key, entry in self.policies.items()}

    def way(
        self,
        option: Option,
        facts: AgreementFacts,
        handler: tuple[UUID, str],
        reasons: tuple[str, ...],
    ) -> Way:
        """Return the way of a grant that could serve."""
        made = self._way(facts, option.policy or "", handler, option.grant_name, reasons)
        return replace(made, grant_key=option.grant_key, covered=option.covered, billable=option.billable)

    def of_policy(self, facts: AgreementFacts, key: str, handler: tuple[UUID, str]) -> Way:
        """Return the way of an offer whose calls run under a policy of its own, without a count."""
        said = f"{facts.name} covers it, under its policy for calls."
        made = self._way(facts, key, handler, "", (said,))
        return replace(made, covered=1)

    def _way(
        self,
        facts: AgreementFacts,
        policy_key: str,
        handler: tuple[UUID, str],
        what: str,
        reasons: tuple[str, ...],
    ) -> Way:
        policy = self.policies.get(policy_key)
        calendar = self.calendars.get(facts.offer.calendar)
        rules = policy_of_entry(policy)
        return Way(
            WayKind.AGREEMENT,
            handler[0],
            handler[1],
            f"{facts.name}: {what or rules.name}",
            reasons=reasons,
            agreement_id=facts.id,
            agreement_ref=facts.ref,
            agreement_name=facts.name,
            policy_id=None if policy is None else policy.id,
            policy_key="" if policy is None else policy.key,
            policy_version=0 if policy is None else policy.version,
            policy_name=rules.name,
            calendar_id=None if calendar is None else calendar.id,
            calendar_key="" if calendar is None else calendar.key,
            calendar_version=0 if calendar is None else calendar.version,
            time_zone="" if calendar is None else calendar_of_entry(calendar, self.time_zone).zone,
            has_priorities=has_priorities(rules),
            promise=promise_of(rules),
        )


def _handlers(tx: Session, agreements: Sequence[Agreement]) -> dict[UUID, tuple[UUID, str]]:
    """Return the companies that offered agreements, whose desks work on their calls: (id, name) by agreement."""
    rows = tx.execute(
        sa.select(User.id, Company.id, Company.name)
        .join(Company, Company.id == User.company_id)
        .where(User.id.in_({each.offered_by for each in agreements}))
    )
    companies = {user_id: (company_id, name) for user_id, company_id, name in rows}
    return {each.id: companies[each.offered_by] for each in agreements if each.offered_by is not None}


def _parts(
    tx: Session, source: InstalledSource, coverage: Coverage, day: date, as_of: datetime
) -> tuple[str, ...]:
    """Return what the warranty, else plans cover of the unit that fails on a day, as sentences."""
    for cover in coverage.covers:
        if cover.by == WARRANTY:
            granted = GRANTED[cover.parts, cover.labor]
            return (f"The warranty covers {granted} of this unit through {say_day(cover.ends_on)}.",)
    covers = covering_plans(tx, source, failed_on=day, reported_on=day, as_of=as_of)
    if not covers:
        return ("No plan covers parts or labor of this unit on that day.",)
    return tuple(
        f"{cover.by} covers {GRANTED[cover.parts, cover.labor]} of this unit through {say_day(cover.ends_on)}."
        for cover in covers
    )


def _coverage(tx: Session, source: InstalledSource, day: date, as_of: datetime) -> Coverage:
    return asked_answer(tx, source, failed_on=day, reported_on=day, as_of=as_of).coverage
