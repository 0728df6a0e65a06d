"""The JSON API of agreements."""

from __future__ import annotations

from dataclasses import asdict

from flask import url_for

from referral.apikit import idempotency_key
from referral.clock import now
from referral.db import write
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from support.api.blueprint import AGREEMENT, Answer, Headers, Said, blueprint
from support.models.agreements import Agreement
from support.operations.agreements import build_agreement as build_operation
from support.operations.agreements import edit_agreement as edit_operation
from support.operations.agreements_deciding import accept_agreement as accept_operation
from support.operations.agreements_deciding import decline_agreement as decline_operation
from support.operations.agreements_deciding import offer_agreement as offer_operation
from support.operations.agreements_deciding import revise_agreement as revise_operation
from support.operations.agreements_deciding import withdraw_agreement as withdraw_operation
from support.operations.agreements_ending import renew_agreement as renew_operation
from support.operations.agreements_ending import terminate_agreement as terminate_operation
from support.queries.agreement_page import agreement_page
from support.queries.agreement_terms import ref_of_agreement
from support.queries.agreements import AgreementFilter, agreements_page
from support.rules.agreements import PriceLine
from support.rules.offers import Grant
from support.schemas import agreements as schemas

_SELLING = ("term_too_long", "not_eligible", "offer_outdated")


@blueprint.get("/agreements")
@needs(Permission.SUPPORT_VIEW)
@blueprint.arguments(schemas.ListAgreementsSchema, location="query")
@blueprint.response(200, schemas.AgreementsSchema)
@blueprint.refuses()
def list_agreements(said: Said) -> Answer:
    """List agreements, newest first, or by their last day those that end within a number of days."""
    asked = AgreementFilter(
        standing=said["state"], offer=said["offer"], customer=said["customer"], within=said["within"]
    )
    viewer = current_viewer()
    page = ask(
        agreements_page, viewer=viewer, at=now(), asked=asked, after=said["after"], limit=said["limit"]
    )
    return {"items": page.rows, "next": page.after}


@blueprint.get(AGREEMENT)
@needs(Permission.SUPPORT_VIEW)
@blueprint.response(200, schemas.SupportAgreementSchema)
@blueprint.refuses()
def show_agreement(ref: str) -> Answer:
    """See an agreement: what it grants, where, for how much, who accepted it."""
    return _agreement(ref)


@blueprint.post("/agreements")
@needs(Permission.AGREEMENT_BUILD)
@blueprint.arguments(schemas.BuildAgreementSchema)
@blueprint.response(201, schemas.SupportAgreementSchema)
@blueprint.refuses("idempotency_key_missing", "idempotency_key_reused", *_SELLING, keyed=True)
def build_agreement(said: Said) -> tuple[Answer, Headers]:
    """Put an agreement of an offer together, for the program to price."""
    made = write(build_operation, actor=current_viewer(), at=now(), idempotency_key=idempotency_key(), **said)
    return _made(made)


@blueprint.put(f"{AGREEMENT}/draft")
@needs(Permission.AGREEMENT_BUILD)
@blueprint.arguments(schemas.EditAgreementSchema)
@blueprint.response(200, schemas.SupportAgreementSchema)
@blueprint.refuses("not_pending", "stale_agreement", *_SELLING)
def edit_agreement(said: Said, ref: str) -> Answer:
    """Save a draft anew, by the newest version of its offer."""
    write(edit_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _agreement(ref)


@blueprint.post(f"{AGREEMENT}/offer")
@needs(Permission.AGREEMENT_OFFER)
@blueprint.arguments(schemas.OfferAgreementSchema)
@blueprint.response(200, schemas.SupportAgreementSchema)
@blueprint.refuses("not_pending", "stale_agreement", "amount_too_large", *_SELLING)
def offer_agreement(said: Said, ref: str) -> Answer:
    """State the net price of each contract year and the tax; the terms are frozen with them."""
    write(offer_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _agreement(ref)


@blueprint.post(f"{AGREEMENT}/revision")
@needs(Permission.AGREEMENT_BUILD)
@blueprint.arguments(schemas.ReasonSchema)
@blueprint.response(200, schemas.SupportAgreementSchema)
@blueprint.refuses("not_pending", "reason_required")
def revise_agreement(said: Said, ref: str) -> Answer:
    """Take what is offered or declined back to a draft."""
    write(revise_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _agreement(ref)


@blueprint.post(f"{AGREEMENT}/acceptance")
@needs(Permission.AGREEMENT_ACCEPT)
@blueprint.arguments(schemas.AcceptAgreementSchema)
@blueprint.response(200, schemas.SupportAgreementSchema)
@blueprint.refuses("not_pending", "digest_mismatch", "terms_not_accepted", "typed_name_mismatch")
def accept_agreement(said: Said, ref: str) -> Answer:
    """Accept the terms of this digest, with the standard terms and conditions."""
    write(accept_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _agreement(ref)


@blueprint.post(f"{AGREEMENT}/decline")
@needs(Permission.AGREEMENT_ACCEPT)
@blueprint.arguments(schemas.ReasonSchema)
@blueprint.response(200, schemas.SupportAgreementSchema)
@blueprint.refuses("not_pending", "reason_required")
def decline_agreement(said: Said, ref: str) -> Answer:
    """Decline what is offered, and say why."""
    write(decline_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _agreement(ref)


@blueprint.post(f"{AGREEMENT}/withdrawal")
@needs(Permission.AGREEMENT_BUILD)
@blueprint.arguments(schemas.ReasonSchema)
@blueprint.response(200, schemas.SupportAgreementSchema)
@blueprint.refuses("not_pending", "reason_required")
def withdraw_agreement(said: Said, ref: str) -> Answer:
    """Take back what is not accepted."""
    write(withdraw_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _agreement(ref)


@blueprint.post(f"{AGREEMENT}/termination")
@needs(Permission.AGREEMENT_END)
@blueprint.arguments(schemas.TerminateAgreementSchema)
@blueprint.response(200, schemas.SupportAgreementSchema)
@blueprint.refuses("not_pending", "agreement_not_active", "reason_required")
def terminate_agreement(said: Said, ref: str) -> Answer:
    """End an accepted agreement early: `last_on` is its last covered day."""
    write(terminate_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _agreement(ref)


@blueprint.post(f"{AGREEMENT}/renewal")
@needs(Permission.AGREEMENT_BUILD)
@blueprint.arguments(schemas.RenewAgreementSchema)
@blueprint.response(201, schemas.SupportAgreementSchema)
@blueprint.refuses(
    "idempotency_key_missing", "idempotency_key_reused", "not_pending", "not_confirmed", *_SELLING, keyed=True
)
def renew_agreement(said: Said, ref: str) -> tuple[Answer, Headers]:
    """Continue an agreement by a new draft; a gap or an overlap is refused until it is confirmed."""
    made = write(
        renew_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        idempotency_key=idempotency_key(),
        **said,
    )
    return _made(made)


def _made(agreement: Agreement) -> tuple[Answer, Headers]:
    ref = ask(ref_of_agreement, dealer_id=agreement.dealer_id, number=agreement.number)
    return _agreement(ref), {"Location": url_for("support_api.show_agreement", ref=ref)}


def _agreement(ref: str) -> Answer:
    page = ask(agreement_page, viewer=current_viewer(), at=now(), ref=ref)
    agreement = page.agreement
    return {
        **asdict(page.row),
        "edit_count": agreement.edit_count,
        "choices": page.choices,
        "license_worth": agreement.license_cents,
        "sites": [
            {
                "id": site.term.ref,
                "name": site.term.name,
                "place": site.term.place,
                "time_zone": site.term.time_zone,
                "referral": site.referral_ref,
                "account": site.term.account,
            }
            for site in page.sites
        ],
        "grants": [_grant(each.grant) for chart in page.charts for each in chart.grants],
        "prices": [_price(line) for line in page.prices],
        "currency": page.currency,
        "net": page.sums.net_cents,
        "tax": page.sums.tax_cents,
        "total": page.sums.total_cents,
        "terms": agreement.terms or None,
        "digest": agreement.terms_digest,
        "continues": None if page.continues is None else page.continues.ref,
        "continued_by": None if page.continued_by is None else page.continued_by.ref,
        "accepted_name": agreement.accepted_name,
        "accepted_at": agreement.accepted_at,
        "closing_words": agreement.closing_words,
        "closed_at": agreement.closed_at,
    }


def _grant(grant: Grant) -> Answer:
    quota = grant.quota
    return {
        "key": grant.key,
        "kind": grant.kind,
        "name": grant.name,
        "chart": grant.chart,
        "unit": None if quota is None else quota.unit.value,
        "amount": None if quota is None else quota.amount,
        "is_unlimited": quota is not None and quota.amount is None,
    }


def _price(line: PriceLine) -> Answer:
    return {
        "contract_year": line.contract_year,
        "first_on": line.first_on,
        "last_on": line.last_on,
        "net": line.net_cents,
        "tax_basis_points": line.tax_basis_points,
        "tax": line.tax_cents,
    }
