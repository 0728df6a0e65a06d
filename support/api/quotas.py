"""The JSON API of an agreement's quotas, requirements and entitlement, and of systems at sites."""

from __future__ import annotations

from dataclasses import asdict

from referral.apikit import idempotency_key
from referral.clock import now
from referral.db import write
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from support.api.blueprint import AGREEMENT, Answer, Said, blueprint
from support.operations import requirements, systems, top_ups, uses
from support.queries.agreement_book import AgreementBook, agreement_book
from support.queries.entitlement import entitlement_of
from support.queries.systems import SystemsPage, systems_page
from support.schemas import quotas as schemas
from support.states import GrantKind

PROJECT = '/projects/<public_number("R"):ref>'


@blueprint.get(f"{AGREEMENT}/book")
@needs(Permission.SUPPORT_VIEW)
@blueprint.response(200, schemas.BookSchema)
@blueprint.refuses()
def show_book(ref: str) -> Answer:
    """See what is left of an agreement's quotas, what was used and bought, and its requirements."""
    return _book(ref)


@blueprint.post(f"{AGREEMENT}/uses")
@needs(Permission.CALL_WORK)
@blueprint.arguments(schemas.RecordUseSchema)
@blueprint.response(200, schemas.BookSchema)
@blueprint.refuses(
    "reason_required",
    "agreement_not_active",
    "not_granted",
    "not_eligible",
    "not_confirmed",
    "invalid_input",
    "idempotency_key_missing",
    "idempotency_key_reused",
    keyed=True,
)
def record_use(said: Said, ref: str) -> Answer:
    """Record what was used of a grant: covered up to what its contract year has left, the rest billable."""
    write(
        uses.record_use,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        idempotency_key=idempotency_key(),
        **said,
    )
    return _book(ref)


@blueprint.post(f"{AGREEMENT}/uses/<int:number>/reversal")
@needs(Permission.CALL_WORK)
@blueprint.arguments(schemas.ReverseUseSchema)
@blueprint.response(200, schemas.BookSchema)
@blueprint.refuses("reason_required", "use_reversed", "reversal_of_reversal", "agreement_not_active")
def reverse_use(said: Said, ref: str, number: int) -> Answer:
    """Take a use back: it stays, and counts no more."""
    write(uses.reverse_use, actor=current_viewer(), at=now(), ref=ref, number=number, **said)
    return _book(ref)


@blueprint.post(f"{AGREEMENT}/top-ups")
@needs(Permission.AGREEMENT_OFFER)
@blueprint.arguments(schemas.TopUpAgreementSchema)
@blueprint.response(200, schemas.BookSchema)
@blueprint.refuses(
    "agreement_not_active",
    "not_granted",
    "amount_too_large",
    "invalid_input",
    "idempotency_key_missing",
    "idempotency_key_reused",
    keyed=True,
)
def top_up_agreement(said: Said, ref: str) -> Answer:
    """Record that more of a grant was bought for one contract year, at a price of its own."""
    write(
        top_ups.top_up_agreement,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        idempotency_key=idempotency_key(),
        **said,
    )
    return _book(ref)


@blueprint.post(f"{AGREEMENT}/requirements")
@needs(Permission.AGREEMENT_BUILD)
@blueprint.arguments(schemas.MarkRequirementSchema)
@blueprint.response(200, schemas.BookSchema)
@blueprint.refuses("agreement_not_active", "not_granted", "invalid_input")
def mark_requirement(said: Said, ref: str) -> Answer:
    """Say how a requirement stands since a day; confirmations are the program's."""
    write(requirements.mark_requirement, actor=current_viewer(), at=now(), ref=ref, **said)
    return _book(ref)


@blueprint.get(f"{AGREEMENT}/entitlement")
@needs(Permission.SUPPORT_VIEW)
@blueprint.arguments(schemas.AskEntitlementSchema, location="query")
@blueprint.response(200, schemas.EntitlementSchema)
@blueprint.refuses("agreement_not_active", "invalid_input")
def show_entitlement(said: Said, ref: str) -> Answer:
    """Ask what is covered, as it was known at an instant: the same answer whenever it is asked."""
    asked = said | {"kind": said["kind"] or GrantKind.RESPONSE}
    answer = ask(entitlement_of, viewer=current_viewer(), at=now(), ref=ref, **asked)
    found = answer.entitlement
    return {
        "agreement": ref,
        "as_of": answer.as_of,
        "kind": found.asked.kind,
        "day": found.asked.day,
        "site": found.asked.site_name,
        "source": answer.source_ref,
        "systems": answer.systems,
        "is_covered": found.is_covered,
        "amount": found.amount,
        "covered": found.covered,
        "billable": found.billable,
        "by": found.by,
        "cover": found.cover,
        "others": found.others,
        "reasons": found.reasons,
    }


@blueprint.get(f"{PROJECT}/systems")
@needs(Permission.SUPPORT_VIEW)
@blueprint.response(200, schemas.ProjectSystemsSchema)
@blueprint.refuses()
def show_systems(ref: str) -> SystemsPage:
    """See which systems are at the sites of a project, and since when."""
    return _systems(ref)


@blueprint.post(f"{PROJECT}/systems")
@needs(Permission.CALL_WORK)
@blueprint.arguments(schemas.RecordSystemSchema)
@blueprint.response(200, schemas.ProjectSystemsSchema)
@blueprint.refuses("invalid_input")
def record_system(said: Said, ref: str) -> SystemsPage:
    """Record what system is at a site since a day; answers about earlier days stay what they were."""
    write(systems.record_system, actor=current_viewer(), at=now(), ref=ref, **said)
    return _systems(ref)


def _book(ref: str) -> Answer:
    book: AgreementBook = ask(agreement_book, viewer=current_viewer(), at=now(), ref=ref)
    years = [asdict(row.year) | {"meters": [each.meter for each in row.meters]} for row in book.years]
    return {
        "ref": book.ref,
        "currency": book.currency,
        "years": years,
        "uses": book.uses,
        "has_more_uses": book.has_more_uses,
        "top_ups": book.top_ups,
        "requirements": book.requirements,
    }


def _systems(ref: str) -> SystemsPage:
    return ask(systems_page, viewer=current_viewer(), at=now(), ref=ref)
