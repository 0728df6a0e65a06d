"""The JSON API of warranty terms."""

from __future__ import annotations

from referral.clock import now
from referral.db import write
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from warranty.api.blueprint import Said, blueprint
from warranty.models.terms import WarrantyTerm
from warranty.operations.terms import set_term as set_term_operation
from warranty.queries.terms import TermsPage, terms_page
from warranty.schemas import terms as term_schemas

TERMS = "/warranty/terms"


@blueprint.get(TERMS)
@needs(Permission.SETTING_VIEW)
@blueprint.response(200, term_schemas.TermsSchema)
@blueprint.refuses()
def terms() -> TermsPage:
    """List the warranty terms of every family with their history."""
    return ask(terms_page, at=now())


@blueprint.post(TERMS)
@needs(Permission.SETTING_CHANGE)
@blueprint.arguments(term_schemas.SetTermSchema)
@blueprint.response(201, term_schemas.TermSchema)
@blueprint.refuses("reason_required")
def set_term(said: Said) -> WarrantyTerm:
    """Record warranty terms of a family for orders from a day on; what holds already is answered as it is."""
    return write(set_term_operation, actor=current_viewer(), at=now(), **said)
