"""The JSON API of the talk about services: its offers, another one, the agreement."""

from __future__ import annotations

from quotes.api.blueprint import REVISION, Said, blueprint
from quotes.operations.services import agree_services as agree_services_operation
from quotes.operations.services import counter_services as counter_services_operation
from quotes.queries.quote_view import quote_view
from quotes.queries.services import ServicesTalk
from quotes.schemas import services as service_schemas
from referral.clock import now
from referral.db import write
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs

SETTLED = (
    "stale_revision",
    "not_pending",
    "quote_expired",
    "referral_closed",
    "stale_offer",
    "delegation_expired",
)


def _talk(ref: str, revision_number: int) -> ServicesTalk:
    return ask(quote_view, viewer=current_viewer(), at=now(), ref=ref, revision_number=revision_number).talk


@blueprint.get(f"{REVISION}/services/offers")
@needs(Permission.QUOTE_VIEW)
@blueprint.response(200, service_schemas.OffersSchema)
@blueprint.refuses()
def list_offers(ref: str, revision_number: int) -> ServicesTalk:
    """See every offer for the services of a revision, and what is agreed."""
    return _talk(ref, revision_number)


@blueprint.post(f"{REVISION}/services/offers")
@needs(Permission.SERVICES_AGREE)
@blueprint.arguments(service_schemas.CounterServicesSchema)
@blueprint.response(201, service_schemas.OffersSchema)
@blueprint.refuses(*SETTLED, "amount_too_large")
def counter_services(said: Said, ref: str, revision_number: int) -> ServicesTalk:
    """Make another offer; the other side agrees to it or answers with one."""
    write(
        counter_services_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        **said,
    )
    return _talk(ref, revision_number)


@blueprint.post(f"{REVISION}/services/agree")
@needs(Permission.SERVICES_AGREE)
@blueprint.arguments(service_schemas.AgreeServicesSchema)
@blueprint.response(200, service_schemas.OffersSchema)
@blueprint.refuses(*SETTLED, "own_offer")
def agree_services(said: Said, ref: str, revision_number: int) -> ServicesTalk:
    """Agree to the other side's newest offer."""
    write(
        agree_services_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        **said,
    )
    return _talk(ref, revision_number)
