"""Putting an agreement together, and changing it while it is a draft."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.operations.mails import tell_dealer
from quotes.operations.placed_orders import guard_key
from quotes.rules.content import canonical_json, request_digest
from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.operations.records import guard_permission, next_number, record_event
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.settings import today
from support.models.agreements import Agreement, AgreementPrice, AgreementSite
from support.models.catalogue import CatalogueEntry
from support.operations.agreement_mails import mail_words, tell_program
from support.queries.agreement_sites import (
    SiteChoice,
    parse_site_ref,
    platforms_at,
    sites_of_agreements,
    sites_to_choose,
)
from support.queries.agreement_terms import ref_of_agreement
from support.queries.catalogue import entry_for, offer_of_entry
from support.queries.seen import agreement_by_ref
from support.rules import agreement_mails as mails
from support.rules.agreements import guard_sold, whole_choices
from support.rules.offers import Choices, Offer
from support.rules.quotas import contract_years
from support.states import AgreementState, EntryKind
from warranty.operations.sites import first_site
from warranty.rules.months import last_day_of

_KIND = "A"


class Place(NamedTuple):
    """A site of an agreement: its row, the account of its project, its name in sentences."""

    site_id: UUID
    account_id: UUID
    label: str


@dataclass(frozen=True)
class Draft:
    """What is said of an agreement while it is put together."""

    customer: str
    sites: tuple[str, ...]
    """As R-HARBOR-3/1: the referral's number and the site's; 1 is the project's own place."""
    starts_on: date
    months: int
    choices: Choices
    license_cents: int | None = None


def build_agreement(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    offer_key: str,
    offer_version: int | None,
    customer: str,
    sites: Sequence[str],
    starts_on: date,
    months: int,
    choices: Choices,
    license_cents: int | None,
    idempotency_key: str,
) -> Agreement:
    """A draft of an agreement is there, for the program to price; both sides are told by mail.

    `offer_version` is the one that was read, None the newest. The same key and content answers with the same
    agreement. Raises Refusal(forbidden), (not_found) for an offer or a site, (offer_outdated),
    (idempotency_key_missing), (idempotency_key_reused), (invalid_input), (term_too_long), (not_eligible).
    Program rules, section 10.
    """
    guard_permission(actor, Permission.AGREEMENT_BUILD)
    key = guard_key(idempotency_key)
    said = Draft(customer, tuple(sites), starts_on, months, choices, license_cents)
    chosen = seen_sites(tx, actor, said.sites)
    digest = request_digest(
        {"offer": offer_key, "version": offer_version, **_said_content(said), "renews": None}
    )
    before = agreement_of_key(tx, chosen[0].dealer_id, key, digest)
    if before is not None:
        return before
    entry = newest_offer(tx, offer_key, at=at)
    if offer_version is not None and offer_version != entry.version:
        raise Refusal("offer_outdated")
    return add_draft(
        tx, actor=actor, at=at, entry=entry, said=said, chosen=chosen, key=key, digest=digest, renews=None
    )


def edit_agreement(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    edit_count: int,
    offer_version: int | None,
    customer: str,
    sites: Sequence[str],
    starts_on: date,
    months: int,
    choices: Choices,
    license_cents: int | None,
) -> Agreement:
    """The draft says this from now on, by the newest version of its offer.

    `edit_count` is the one it was read with. The same content twice is one save. Raises Refusal(forbidden),
    (not_found), (not_pending), (stale_agreement), (offer_outdated), (invalid_input), (term_too_long),
    (not_eligible).
    """
    guard_permission(actor, Permission.AGREEMENT_BUILD)
    agreement = locked_agreement(tx, actor, ref)
    if agreement.state is not AgreementState.DRAFT:
        raise Refusal("not_pending", details={"state": agreement.state.value})
    said = Draft(customer, tuple(sites), starts_on, months, choices, license_cents)
    entry = newest_offer(tx, tx.get_one(CatalogueEntry, agreement.offer_id).key, at=at)
    if offer_version is not None and offer_version != entry.version:
        raise Refusal("offer_outdated")
    there = sites_of_agreements(tx, [agreement]).get(agreement.id, [])
    kept = {row.term.ref for row in there}
    new = [ref for ref in said.sites if ref not in kept]
    chosen = seen_sites(tx, actor, new) if new or not kept & set(said.sites) else ()
    if any(site.dealer_id != agreement.dealer_id for site in chosen):
        raise Refusal("invalid_input", "All sites of an agreement belong to one dealer.", "sites")
    offer = offer_of_entry(tx, entry)
    said = settled(offer, said)
    if agreement.offer_id == entry.id and set(said.sites) == kept and _says(agreement, said):
        return agreement
    if agreement.edit_count != edit_count:
        raise Refusal("stale_agreement")
    places = {
        row.term.ref: Place(row.site_id, row.account_id, row.label)
        for row in there
        if row.term.ref in said.sites
    }
    places |= _made(tx, chosen, at)
    if not places:
        raise Refusal("invalid_input", "Choose one site at least.", "sites")
    guard_offered(tx, agreement.dealer_id, at, offer, said, places)
    agreement.offer_id = entry.id
    agreement.customer = said.customer
    agreement.starts_on = said.starts_on
    agreement.months = said.months
    agreement.last_on = last_day_of(said.starts_on, said.months)
    agreement.choices = canonical_json(dict(said.choices))
    agreement.license_cents = said.license_cents
    agreement.edit_count += 1
    _keep_sites(tx, agreement, places)
    _drop_prices(tx, agreement)
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=agreement.dealer_id,
        event="agreement.edited",
        subject=ref,
        details={"edit_count": agreement.edit_count, **_said_content(said), "version": entry.version},
    )
    return agreement


# shared by what happens to an agreement later ----------------------------------------------------


def locked_agreement(tx: Session, actor: Viewer, ref: str) -> Agreement:
    """Return the agreement the actor sees, locked. Raises Refusal(not_found)."""
    agreement = locked(tx, agreement_by_ref(tx, actor, ref))
    if agreement is None:
        raise Refusal("not_found")
    return agreement


def is_dealers(actor: Viewer, agreement: Agreement) -> bool:
    """Say whether the actor is of the agreement's dealer."""
    return actor.company_id == agreement.dealer_id and actor.acts_as(CompanyKind.DEALER)


def newest_offer(tx: Session, key: str, at: datetime) -> CatalogueEntry:
    """Return the newest version of an offer that is sold. Raises Refusal(not_found)."""
    entry = entry_for(tx, EntryKind.OFFER, key, at=at)
    if entry is None or not offer_of_entry(tx, entry).is_sold:
        raise Refusal("not_found", "There is no such offer.", "offer")
    return entry


def agreement_of_key(tx: Session, dealer_id: UUID, key: str, digest: str) -> Agreement | None:
    """Return the agreement made under an idempotency key. Raises Refusal(idempotency_key_reused)."""
    before = tx.scalars(
        sa.select(Agreement).where(Agreement.dealer_id == dealer_id, Agreement.idempotency_key == key)
    ).one_or_none()
    if before is not None and before.request_digest != digest:
        raise Refusal("idempotency_key_reused")
    return before


def seen_sites(tx: Session, actor: Viewer, refs: Sequence[str]) -> tuple[SiteChoice, ...]:
    """Return the sites that are named, all of one dealer. Raises Refusal(not_found), (invalid_input)."""
    if not refs:
        raise Refusal("invalid_input", "Choose one site at least.", "sites")
    if any(parse_site_ref(ref) is None for ref in refs):
        raise Refusal("not_found", "There is no such site that you may see.", "sites")
    chosen = sites_to_choose(tx, viewer=actor, refs=refs)
    if {site.ref for site in chosen} != set(refs):
        raise Refusal("not_found", "There is no such site that you may see.", "sites")
    if len({site.dealer_id for site in chosen}) > 1:
        raise Refusal("invalid_input", "All sites of an agreement belong to one dealer.", "sites")
    return chosen


def settled(offer: Offer, said: Draft) -> Draft:
    """Return what is said with a word on every choice, and licenses only where the offer asks for them."""
    if said.months < 1:
        raise Refusal("invalid_input", "A term has at least one month.", "months")
    if not said.customer.strip():
        raise Refusal("invalid_input", "Say who it is for.", "customer")
    return replace(
        said,
        customer=said.customer.strip(),
        choices=whole_choices(offer, said.choices),
        license_cents=None if offer.above_cents is None else said.license_cents,
    )


def guard_offered(
    tx: Session,
    dealer_id: UUID,
    at: datetime,
    offer: Offer,
    said: Draft,
    places: Mapping[str, Place],
) -> None:
    """Guard: the offer is sold for these sites, from a day that is not over, for this long."""
    day = today(tx, at)
    if said.starts_on < day:
        raise Refusal("invalid_input", "This day is over. An agreement starts today or later.", "starts_on")
    there = platforms_at(
        tx,
        dealer_id=dealer_id,
        site_ids=[place.site_id for place in places.values()],
        on=said.starts_on,
    )
    guard_sold(
        offer,
        months=said.months,
        license_cents=said.license_cents,
        platforms={place.label: there[place.site_id] for _, place in sorted(places.items())},
    )


def add_draft(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    entry: CatalogueEntry,
    said: Draft,
    chosen: Sequence[SiteChoice],
    key: str,
    digest: str,
    renews: Agreement | None,
) -> Agreement:
    """The dealer of the sites has a new draft of this content; both sides are told."""
    offer = offer_of_entry(tx, entry)
    said = settled(offer, said)
    dealer_id = chosen[0].dealer_id
    places = _made(tx, chosen, at)
    guard_offered(tx, dealer_id, at, offer, said, places)
    agreement = Agreement(
        dealer_id=dealer_id,
        id=new_id(),
        number=next_number(tx, dealer_id, _KIND),
        idempotency_key=key,
        request_digest=digest,
        offer_id=entry.id,
        customer=said.customer,
        starts_on=said.starts_on,
        months=said.months,
        last_on=last_day_of(said.starts_on, said.months),
        choices=canonical_json(dict(said.choices)),
        license_cents=said.license_cents,
        renews_id=None if renews is None else renews.id,
        state=AgreementState.DRAFT,
        edit_count=1,
        made_by=actor.user_id,
        made_at=at,
        terms="",
        terms_digest=None,
        accepted_name="",
        closing_words="",
    )
    tx.add(agreement)
    tx.flush()
    _keep_sites(tx, agreement, places)
    tx.flush()
    words = mail_words(tx, agreement)
    before = "" if renews is None else ref_of_agreement(tx, dealer_id=dealer_id, number=renews.number)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer_id,
        event="agreement.built",
        subject=words.ref,
        details={"offer": entry.key, "version": entry.version, "renews": before, **_said_content(said)},
    )
    tell_dealer(tx, at, dealer_id, mails.built(words, by=actor.name, prices_it=False, renews=before))
    tell_program(tx, at, mails.built(words, by=actor.name, prices_it=True, renews=before))
    return agreement


def _made(tx: Session, chosen: Sequence[SiteChoice], at: datetime) -> dict[str, Place]:
    """Return the sites by number; a project's own place is recorded where it is missing."""
    return {
        site.ref: Place(
            site.site_id or first_site(tx, dealer_id=site.dealer_id, referral_id=site.referral_id, at=at).id,
            site.account_id,
            site.label,
        )
        for site in chosen
    }


def _keep_sites(tx: Session, agreement: Agreement, places: Mapping[str, Place]) -> None:
    tx.execute(
        sa.delete(AgreementSite).where(
            AgreementSite.dealer_id == agreement.dealer_id, AgreementSite.agreement_id == agreement.id
        )
    )
    for _, place in sorted(places.items()):
        tx.add(
            AgreementSite(
                dealer_id=agreement.dealer_id,
                agreement_id=agreement.id,
                site_id=place.site_id,
                account_id=place.account_id,
            )
        )


def _drop_prices(tx: Session, agreement: Agreement) -> None:
    """Prices of contract years that the draft does not have any more are gone."""
    years = len(contract_years(agreement.starts_on, agreement.months, agreement.last_on))
    tx.execute(
        sa.delete(AgreementPrice).where(
            AgreementPrice.dealer_id == agreement.dealer_id,
            AgreementPrice.agreement_id == agreement.id,
            AgreementPrice.contract_year > years,
        )
    )


def _says(agreement: Agreement, said: Draft) -> bool:
    return (
        agreement.customer,
        agreement.starts_on,
        agreement.months,
        json.loads(agreement.choices),
        agreement.license_cents,
    ) == (said.customer, said.starts_on, said.months, dict(said.choices), said.license_cents)


def _said_content(said: Draft) -> dict[str, object]:
    return {
        "customer": said.customer,
        "sites": sorted(said.sites),
        "starts_on": said.starts_on.isoformat(),
        "months": said.months,
        "choices": dict(said.choices),
        "license_cents": said.license_cents,
    }
