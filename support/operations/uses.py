"""Using what an agreement grants, and taking a use back. A use is never changed: it is reversed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.operations.placed_orders import guard_key
from quotes.rules.content import canonical_json
from referral.clock import business_day
from referral.db import locked
from referral.errors import Refusal
from referral.ids import PublicNumber, new_id
from referral.models import Company
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer
from referral.text import say_day
from support.models.agreements import Agreement, AgreementSite, QuotaTopUp, QuotaUse
from support.queries.agreement_facts import agreement_facts
from support.queries.agreement_sites import sites_of_agreements
from support.queries.quota_digests import use_digest
from support.queries.seen import agreement_by_ref
from support.queries.systems import systems_at
from support.rules.entitlement import AgreementFacts, why_not
from support.rules.offers import Grant
from support.rules.quotas import (
    MOST_NUMBER,
    ContractYear,
    count_use,
    counted_grants,
    guard_limits,
    meter_of,
    say_amount,
    split_use,
)
from support.states import BINDING_STATES
from warranty.models.sources import Site


def record_use(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    grant_key: str,
    used_on: date,
    asked: int,
    within: Mapping[str, int],
    site_ref: str,
    words: str,
    idempotency_key: str,
) -> QuotaUse:
    """So much of a grant was used on a day: covered up to what its contract year has left, the rest billable.

    `asked` is in minutes of hours and blocks, of which a started one counts whole, else in units. `within` says
    what the use held of the things that the grant limits each time, by the limit's name. `site_ref` is one of the
    agreement's sites, as R-HARBOR-3/1; '' is its only one. The same key and content answers with the same use. Raises
    Refusal(forbidden), (not_found), (reason_required), (idempotency_key_missing), (idempotency_key_reused),
    (agreement_not_active), (not_granted), (not_eligible), (not_confirmed), (invalid_input).
    """
    guard_permission(actor, Permission.CALL_WORK)
    said = guard_reason(words, "words")
    key = f"said-{guard_key(idempotency_key)}"  # so that it is no key of a visit's own
    agreement = locked_binding(tx, actor, ref)
    site_id = _site_named(tx, agreement, site_ref)
    before = use_with_key(tx, agreement, key)
    if before is not None:
        digest = use_digest(
            agreement_id=agreement.id,
            grant_key=grant_key,
            used_on=used_on,
            asked=asked,
            within=within,
            site_id=_only_site(tx, agreement, site_id),
            words=said,
        )
        if before.request_digest != digest:
            raise Refusal("idempotency_key_reused")
        return before
    return draw_use(
        tx,
        actor=actor,
        at=at,
        agreement=agreement,
        grant_key=grant_key,
        used_on=used_on,
        asked=asked,
        within=within,
        site_id=site_id,
        words=said,
        idempotency_key=key,
    )


def reverse_use(tx: Session, *, actor: Viewer, at: datetime, ref: str, number: int, reason: str) -> QuotaUse:
    """A use is taken back, for a reason: it counts no more. What was covered or billable of later ones stays.

    The same reversal of the same person twice is one. Raises Refusal(forbidden), (not_found), (reason_required),
    (use_reversed), (reversal_of_reversal).
    """
    guard_permission(actor, Permission.CALL_WORK)
    why = guard_reason(reason)
    agreement = locked_binding(tx, actor, ref)
    return take_back(tx, actor=actor, at=at, agreement=agreement, number=number, reason=why)


# shared with visits and calls ---------------------------------------------------------------------


def draw_use(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    agreement: Agreement,
    grant_key: str,
    used_on: date,
    asked: int,
    words: str,
    within: Mapping[str, int] | None = None,
    site_id: UUID | None = None,
    call_id: UUID | None = None,
    visit_id: UUID | None = None,
    idempotency_key: str = "",
) -> QuotaUse:
    """Draw from the quota of a grant of the locked agreement; see `record_use`, which guards who may.

    Without a key it has one of its own: whoever calls sees to it that it is drawn once. Raises
    Refusal(agreement_not_active), (not_granted), (not_eligible), (not_confirmed), (invalid_input).
    """
    (facts,) = agreement_facts(tx, [agreement])
    year = guard_year(facts, used_on)
    grant = counted_grant(facts, grant_key)
    limited = dict(within or {})
    guard_limits(grant, limited)
    where = _only_site(tx, agreement, site_id)
    site = _site_of(tx, facts, where)
    if visit_id is None:  # a visit uses its slot on its own day, also where it became a session before that
        _guard_past(tx, agreement, used_on, at)
    _guard_eligible(tx, facts, grant, site, used_on, at)
    amount = count_use(grant, asked)
    meter = meter_of(grant, year.number, facts.uses, facts.top_ups)
    covered, billable = split_use(meter, amount)
    use = QuotaUse(
        dealer_id=agreement.dealer_id,
        agreement_id=agreement.id,
        number=next_in_book(tx, agreement),
        idempotency_key=idempotency_key or new_id().hex,
        request_digest=use_digest(
            agreement_id=agreement.id,
            grant_key=grant_key,
            used_on=used_on,
            asked=asked,
            within=limited,
            site_id=where,
            words=words,
            call_id=call_id,
            visit_id=visit_id,
        ),
        grant_key=grant_key,
        used_on=used_on,
        contract_year=year.number,
        asked=asked,
        amount=amount,
        covered=covered,
        billable=billable,
        within=canonical_json(limited) if limited else "",
        site_id=where,
        call_id=call_id,
        visit_id=visit_id,
        reverses=None,
        words=words,
        recorded_by=actor.user_id,
        recorded_at=at,
    )
    tx.add(use)
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=agreement.dealer_id,
        event="quota.used",
        subject=facts.ref,
        details={
            "use": use.number,
            "grant": grant_key,
            "used_on": used_on.isoformat(),
            "covered": say_amount(meter.unit, covered),
            "billable": say_amount(meter.unit, billable),
            "words": words,
        },
    )
    return use


def take_back(
    tx: Session, *, actor: Viewer, at: datetime, agreement: Agreement, number: int, reason: str
) -> QuotaUse:
    """Take back a use of the locked agreement; see `reverse_use`, which guards who may."""
    use = tx.get(QuotaUse, (agreement.dealer_id, agreement.id, number)) if number <= MOST_NUMBER else None
    if use is None:
        raise Refusal("not_found")
    if use.reverses is not None:
        raise Refusal("reversal_of_reversal", "This takes a use back. Record the use again instead.")
    there = tx.scalars(
        sa.select(QuotaUse).where(
            QuotaUse.dealer_id == agreement.dealer_id,
            QuotaUse.agreement_id == agreement.id,
            QuotaUse.reverses == number,
        )
    ).one_or_none()
    if there is not None:
        if (there.recorded_by, there.words) == (actor.user_id, reason):
            return there
        raise Refusal("use_reversed")
    within = json.loads(use.within) if use.within else {}
    reversal = QuotaUse(
        dealer_id=use.dealer_id,
        agreement_id=use.agreement_id,
        number=next_in_book(tx, agreement),
        idempotency_key=new_id().hex,
        request_digest=use_digest(
            agreement_id=use.agreement_id,
            grant_key=use.grant_key,
            used_on=use.used_on,
            asked=use.asked,
            within=within,
            site_id=use.site_id,
            words=reason,
            call_id=use.call_id,
            visit_id=use.visit_id,
            reverses=number,
        ),
        grant_key=use.grant_key,
        used_on=use.used_on,
        contract_year=use.contract_year,
        asked=use.asked,
        amount=use.amount,
        covered=use.covered,
        billable=use.billable,
        within=use.within,
        site_id=use.site_id,
        call_id=use.call_id,
        visit_id=use.visit_id,
        reverses=number,
        words=reason,
        recorded_by=actor.user_id,
        recorded_at=at,
    )
    tx.add(reversal)
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=agreement.dealer_id,
        event="quota.use_reversed",
        subject=agreement_ref(tx, agreement),
        details={"use": number, "reversal": reversal.number, "words": reason},
    )
    return reversal


def locked_binding(tx: Session, actor: Viewer, ref: str) -> Agreement:
    """Return the agreement the actor sees, locked. Raises Refusal(not_found), (agreement_not_active) before it is accepted.

    The lock stands before anything is read of its quotas: of two who take the last visit, one finds it taken.
    """
    agreement = locked(tx, agreement_by_ref(tx, actor, ref))
    if agreement is None:
        raise Refusal("not_found")
    if agreement.state not in BINDING_STATES:
        raise Refusal("agreement_not_active", "This agreement is not accepted.")
    return agreement


def guard_year(facts: AgreementFacts, day: date, field: str = "used_on") -> ContractYear:
    """Guard: the day lies in the term. Returns its contract year; raises Refusal(agreement_not_active)."""
    year = facts.year_of(day)
    if year is None:
        days = f"{say_day(facts.starts_on)} through {say_day(facts.last_on)}"
        raise Refusal("agreement_not_active", f"{facts.name} covers {days}, not {say_day(day)}.", field)
    return year


def counted_grant(facts: AgreementFacts, grant_key: str) -> Grant:
    """Return the grant with a quota that the agreement has, or could buy of. Raises Refusal(not_granted)."""
    for grant in counted_grants(facts.offer, facts.choices):
        if grant.key == grant_key:
            return grant
    known = facts.offer.grant(grant_key)
    words = "" if known is None else f"{facts.name}: {known.name} is not counted."
    raise Refusal("not_granted", words, "grant_key")


def next_in_book(tx: Session, agreement: Agreement) -> int:
    """Return the next number of the locked agreement's book: of its uses and its top-ups together."""
    highest = [
        tx.scalar(
            sa.select(sa.func.max(table.number)).where(
                table.dealer_id == agreement.dealer_id, table.agreement_id == agreement.id
            )
        )
        or 0
        for table in (QuotaUse, QuotaTopUp)
    ]
    return max(highest) + 1


def use_with_key(tx: Session, agreement: Agreement, key: str) -> QuotaUse | None:
    """Return the dealer's use that was recorded with this key."""
    return tx.scalars(
        sa.select(QuotaUse).where(QuotaUse.dealer_id == agreement.dealer_id, QuotaUse.idempotency_key == key)
    ).one_or_none()


def agreement_ref(tx: Session, agreement: Agreement) -> str:
    """Return the agreement's public number."""
    code = tx.scalars(sa.select(Company.code).where(Company.id == agreement.dealer_id)).one()
    return str(PublicNumber("A", code, agreement.number))


def _site_named(tx: Session, agreement: Agreement, site_ref: str) -> UUID | None:
    """Return the agreement's site of this name; None for ''. Raises Refusal(invalid_input)."""
    if not site_ref:
        return None
    for row in sites_of_agreements(tx, [agreement]).get(agreement.id, ()):
        if row.term.ref == site_ref:
            return row.site_id
    raise Refusal("invalid_input", "Choose a site of the agreement.", "site_ref")


def _only_site(tx: Session, agreement: Agreement, site_id: UUID | None) -> UUID | None:
    """Return the site that is said, else the agreement's only one; None where it has several."""
    if site_id is not None:
        return site_id
    ids = tx.scalars(
        sa.select(AgreementSite.site_id)
        .where(AgreementSite.dealer_id == agreement.dealer_id, AgreementSite.agreement_id == agreement.id)
        .order_by(AgreementSite.site_id)
        .limit(2)
    ).all()
    return ids[0] if len(ids) == 1 else None


def _site_of(tx: Session, facts: AgreementFacts, site_id: UUID | None) -> Site | None:
    if site_id is None:
        return None
    if site_id not in facts.site_ids:
        raise Refusal("invalid_input", "Choose a site of the agreement.", "site_ref")
    return tx.get_one(Site, (facts.dealer_id, site_id))


def _guard_past(tx: Session, agreement: Agreement, day: date, at: datetime) -> None:
    """Guard: the day is not to come, at any of the agreement's sites. Raises Refusal(invalid_input)."""
    zones = tx.scalars(
        sa.select(Site.time_zone)
        .join(
            AgreementSite,
            sa.and_(AgreementSite.dealer_id == Site.dealer_id, AgreementSite.site_id == Site.id),
        )
        .where(AgreementSite.dealer_id == agreement.dealer_id, AgreementSite.agreement_id == agreement.id)
        .distinct()
    ).all()
    if day > max(business_day(at, zone) for zone in zones):
        raise Refusal("invalid_input", "This day is still to come.", "used_on")


def _guard_eligible(
    tx: Session, facts: AgreementFacts, grant: Grant, site: Site | None, day: date, at: datetime
) -> None:
    """Guard: the grant can be used there on that day. Raises Refusal(not_eligible), (not_confirmed), (invalid_input)."""
    if not (grant.platforms or grant.needs_remote_access or grant.needs_confirmation):
        return
    if site is None and (grant.platforms or grant.needs_remote_access):
        raise Refusal("invalid_input", "Say at which site: it depends on the systems there.", "site_ref")
    systems = () if site is None else systems_at(tx, site.dealer_id, site.id, day=day, as_of=at)
    refused = why_not(grant, facts, day, "" if site is None else site.name, systems)
    if refused is not None:
        raise Refusal(*refused, "grant_key")
