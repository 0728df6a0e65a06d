"""Pricing an agreement, and what the dealer answers: accepted, declined, back to a draft, withdrawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.operations.evidence import witness
from ledger.states import EvidenceKind
from quotes.operations.mails import tell_dealer
from referral.errors import Refusal
from referral.models import User
from referral.money import MAX_CENTS, format_cents
from referral.operations.records import guard_permission, guard_reason, guard_total, record_event
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.exchange_rates import program_currency
from referral.queries.settings import today
from referral.states import next_state
from referral.text import fold
from support.models.agreements import Agreement, AgreementPrice
from support.models.catalogue import CatalogueEntry
from support.operations.agreement_mails import mail_words, tell_accounts, tell_program
from support.operations.agreements import (
    Draft,
    Place,
    guard_offered,
    is_dealers,
    locked_agreement,
    newest_offer,
)
from support.queries.agreement_sites import sites_of_agreements
from support.queries.agreement_terms import acceptance_digest, terms_digest, terms_of
from support.queries.catalogue import offer_of_entry
from support.rules import agreement_mails as mails
from support.rules.agreements import (
    TERMS_STATEMENT,
    TERMS_VERSION,
    WHOLE,
    price_sums,
    tax_of,
    terms_json,
)
from support.rules.quotas import contract_years
from support.states import AGREEMENT_MOVES, AgreementState


def offer_agreement(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    edit_count: int,
    net_cents: Sequence[int],
    tax_basis_points: int,
) -> Agreement:
    """The program offers the draft for a net price per contract year, tax apart; its terms are frozen.

    The same prices twice are one offer. Raises Refusal(forbidden), (not_found), (not_pending),
    (stale_agreement), (offer_outdated), (invalid_input), (amount_too_large), (not_eligible), (term_too_long).
    """
    guard_permission(actor, Permission.AGREEMENT_OFFER)
    agreement = locked_agreement(tx, actor, ref)
    if agreement.state is AgreementState.OFFERED and _prices(tx, agreement) == [
        (net, tax_basis_points) for net in net_cents
    ]:
        return agreement
    next_state(AGREEMENT_MOVES, "offer", agreement.state, "not_pending")
    if agreement.edit_count != edit_count:
        raise Refusal("stale_agreement")
    _guard_prices(agreement, net_cents, tax_basis_points)
    _guard_offerable(tx, agreement, at)
    tx.execute(
        sa.delete(AgreementPrice).where(
            AgreementPrice.dealer_id == agreement.dealer_id, AgreementPrice.agreement_id == agreement.id
        )
    )
    for year, net in enumerate(net_cents, start=1):
        tx.add(
            AgreementPrice(
                dealer_id=agreement.dealer_id,
                agreement_id=agreement.id,
                contract_year=year,
                net_cents=net,
                tax_basis_points=tax_basis_points,
                tax_cents=tax_of(net, tax_basis_points),
            )
        )
    tx.flush()
    terms = terms_of(
        tx,
        agreement,
        choices=json.loads(agreement.choices),
        currency=program_currency(tx, today(tx, at)),
        statement=TERMS_STATEMENT,
        statement_version=TERMS_VERSION,
    )
    agreement.terms = terms_json(terms)
    agreement.terms_digest = terms_digest(agreement.terms)
    agreement.offered_by = actor.user_id
    agreement.offered_at = at
    agreement.edit_count += 1
    agreement.state = next_state(AGREEMENT_MOVES, "offer", agreement.state, "not_pending")
    tx.flush()
    sums = price_sums(terms.prices)
    _record(
        tx,
        actor,
        at,
        agreement,
        "offered",
        ref,
        {"digest": agreement.terms_digest, "net_cents": sums.net_cents, "tax_cents": sums.tax_cents},
    )
    words = mail_words(tx, agreement)
    total = f"{terms.currency} {format_cents(sums.total_cents)}"
    tell_dealer(tx, at, agreement.dealer_id, mails.offered(words, total=total, accepts_it=True))
    tell_program(tx, at, mails.offered(words, total=total, accepts_it=False))
    return agreement


def revise_agreement(tx: Session, *, actor: Viewer, at: datetime, ref: str, reason: str) -> Agreement:
    """What was offered or declined is a draft again; its last prices are kept for the program to look at.

    Raises Refusal(forbidden), (not_found), (reason_required), (not_pending).
    """
    guard_permission(actor, Permission.AGREEMENT_BUILD)
    why = guard_reason(reason)
    agreement = locked_agreement(tx, actor, ref)
    agreement.state = next_state(AGREEMENT_MOVES, "revise", agreement.state, "not_pending")
    agreement.terms = ""
    agreement.terms_digest = None
    agreement.offered_by = None
    agreement.offered_at = None
    agreement.closing_words = ""
    agreement.closed_by = None
    agreement.closed_at = None
    agreement.edit_count += 1
    tx.flush()
    _record(tx, actor, at, agreement, "revised", ref, {"words": why})
    text = mails.revised(mail_words(tx, agreement), by=actor.name, reason=why)
    tell_dealer(tx, at, agreement.dealer_id, text)
    tell_program(tx, at, text)
    return agreement


def accept_agreement(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    digest: str,
    is_accepted: bool,
    typed_name: str,
) -> Agreement:
    """The dealer accepts the terms of this digest: the agreement covers its sites from its first day on.

    What was accepted stands in the dealer's evidence. The same acceptance twice is one. Raises
    Refusal(forbidden), (not_found), (digest_mismatch), (not_pending), (terms_not_accepted),
    (typed_name_mismatch), (invalid_input) where its first day is over. Program rules, section 10.
    """
    guard_permission(actor, Permission.AGREEMENT_ACCEPT)
    agreement = _dealers_own(tx, actor, ref)
    if agreement.terms_digest is not None and digest != agreement.terms_digest:
        raise Refusal("digest_mismatch")
    if agreement.state is AgreementState.ACCEPTED and agreement.accepted_by == actor.user_id:
        return agreement
    next_state(AGREEMENT_MOVES, "accept", agreement.state, "not_pending")
    if agreement.starts_on < today(tx, at):
        words = "Its first day is over: take it back to a draft, and let it start on another day."
        raise Refusal("invalid_input", words)
    if not is_accepted:
        raise Refusal("terms_not_accepted", field="is_accepted")
    if fold(typed_name) != fold(actor.name):
        raise Refusal("typed_name_mismatch", field="typed_name")
    agreement.accepted_name = typed_name.strip()
    agreement.accepted_by = actor.user_id
    agreement.accepted_at = at
    agreement.state = next_state(AGREEMENT_MOVES, "accept", agreement.state, "not_pending")
    tx.flush()
    witness(
        tx,
        actor=actor,
        at=at,
        dealer_id=agreement.dealer_id,
        kind=EvidenceKind.AGREEMENT,
        subject=ref,
        content_digest=acceptance_digest(agreement),
    )
    _record(tx, actor, at, agreement, "accepted", ref, {"digest": digest})
    text = mails.accepted(mail_words(tx, agreement), by=actor.name)
    tell_dealer(tx, at, agreement.dealer_id, text)
    tell_program(tx, at, text)
    tell_accounts(tx, at, agreement, text)
    return agreement


def decline_agreement(tx: Session, *, actor: Viewer, at: datetime, ref: str, reason: str) -> Agreement:
    """The dealer does not want what is offered; both sides are told.

    The same answer twice is one. Raises Refusal(forbidden), (not_found), (reason_required), (not_pending).
    """
    guard_permission(actor, Permission.AGREEMENT_ACCEPT)
    why = guard_reason(reason)
    agreement = _dealers_own(tx, actor, ref)
    if agreement.state is AgreementState.DECLINED and agreement.closing_words == why:
        return agreement
    close_agreement(agreement, "decline", actor, at, why)
    tx.flush()
    _record(tx, actor, at, agreement, "declined", ref, {"words": why})
    text = mails.declined(mail_words(tx, agreement), by=actor.name, reason=why)
    tell_dealer(tx, at, agreement.dealer_id, text)
    tell_program(tx, at, text)
    return agreement


def withdraw_agreement(tx: Session, *, actor: Viewer, at: datetime, ref: str, reason: str) -> Agreement:
    """What is not accepted is taken back by the dealer, the program or the company that made it.

    The same withdrawal twice is one. Raises Refusal(forbidden), (not_found), (reason_required), (not_pending).
    """
    guard_permission(actor, Permission.AGREEMENT_BUILD)
    why = guard_reason(reason)
    agreement = locked_agreement(tx, actor, ref)
    maker = tx.get_one(User, agreement.made_by).company_id
    if not (is_dealers(actor, agreement) or actor.acts_as(CompanyKind.PROGRAM) or actor.company_id == maker):
        raise Refusal("forbidden")
    if agreement.state is AgreementState.WITHDRAWN and agreement.closing_words == why:
        return agreement
    close_agreement(agreement, "withdraw", actor, at, why)
    tx.flush()
    _record(tx, actor, at, agreement, "withdrawn", ref, {"words": why})
    text = mails.withdrawn(mail_words(tx, agreement), by=actor.name, reason=why)
    tell_dealer(tx, at, agreement.dealer_id, text)
    tell_program(tx, at, text)
    return agreement


def close_agreement(agreement: Agreement, verb: str, actor: Viewer, at: datetime, words: str) -> None:
    """The agreement is closed by this verb, with these words. Raises Refusal(not_pending)."""
    agreement.state = next_state(AGREEMENT_MOVES, verb, agreement.state, "not_pending")
    agreement.closing_words = words
    agreement.closed_by = actor.user_id
    agreement.closed_at = at


def _dealers_own(tx: Session, actor: Viewer, ref: str) -> Agreement:
    """Return the agreement, locked, for its dealer to answer. Raises Refusal(not_found), (forbidden)."""
    agreement = locked_agreement(tx, actor, ref)
    if not is_dealers(actor, agreement):
        raise Refusal("forbidden")
    return agreement


def _prices(tx: Session, agreement: Agreement) -> list[tuple[int, int]]:
    rows = tx.execute(
        sa.select(AgreementPrice.net_cents, AgreementPrice.tax_basis_points)
        .where(AgreementPrice.dealer_id == agreement.dealer_id, AgreementPrice.agreement_id == agreement.id)
        .order_by(AgreementPrice.contract_year)
    )
    return [(row.net_cents, row.tax_basis_points) for row in rows]


def _guard_prices(agreement: Agreement, net_cents: Sequence[int], tax_basis_points: int) -> None:
    """Guard: there is a price for each contract year, and a tax rate. Raises Refusal(invalid_input)."""
    years = len(contract_years(agreement.starts_on, agreement.months, agreement.last_on))
    if len(net_cents) != years:
        words = f"State a net price for each of its {years} contract year{'' if years == 1 else 's'}."
        raise Refusal("invalid_input", words, "net_cents")
    if any(not 0 <= net <= MAX_CENTS for net in net_cents):
        raise Refusal("invalid_input", "A net price is 0.00 or more.", "net_cents")
    if not 0 <= tax_basis_points <= WHOLE:
        raise Refusal("invalid_input", "A tax rate is from 0 to 100 percent.", "tax_rate")
    guard_total(sum(net + tax_of(net, tax_basis_points) for net in net_cents), "net_cents")


def _guard_offerable(tx: Session, agreement: Agreement, at: datetime) -> None:
    """Guard: it is of the newest version of its offer, which is still sold for it."""
    entry = newest_offer(tx, tx.get_one(CatalogueEntry, agreement.offer_id).key, at)
    if entry.id != agreement.offer_id:
        raise Refusal("offer_outdated")
    sites = sites_of_agreements(tx, [agreement]).get(agreement.id, [])
    said = Draft(
        agreement.customer,
        tuple(row.term.ref for row in sites),
        agreement.starts_on,
        agreement.months,
        json.loads(agreement.choices),
        agreement.license_cents,
    )
    places = {row.term.ref: Place(row.site_id, row.account_id, row.label) for row in sites}
    guard_offered(tx, agreement.dealer_id, at, offer_of_entry(tx, entry), said, places)


def _record(
    tx: Session,
    actor: Viewer,
    at: datetime,
    agreement: Agreement,
    verb: str,
    ref: str,
    details: dict[str, object],
) -> None:
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=agreement.dealer_id,
        event=f"agreement.{verb}",
        subject=ref,
        details=details,
    )
