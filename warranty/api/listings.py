"""The JSON API of lists of installed sources."""

from __future__ import annotations

from referral.clock import now
from referral.errors import Refusal
from referral.permissions import CompanyKind, Permission
from referral.webkit import ask, current_viewer, needs
from warranty.api.blueprint import Said, blueprint
from warranty.queries.ending import EndingPage, ending_page
from warranty.queries.listings import SourceFilter, SourcesPage, sources_page
from warranty.queries.obligations import Obligations
from warranty.queries.obligations import obligations as read_obligations
from warranty.queries.projects import ProjectSources
from warranty.queries.projects import project_sources as read_project_sources
from warranty.queries.undetermined import Undetermined, undetermined_sources
from warranty.schemas import listings as schemas


def _filter(said: Said) -> SourceFilter:
    """Return the filters of a query string as the query takes them."""
    lacking = said.pop("lacking", None)
    return SourceFilter(
        referral_ref=said.pop("referral"),
        order_ref=said.pop("order", ""),
        lacking="" if lacking is None else lacking.value,
        **said,
    )


@blueprint.get("/sources")
@needs(Permission.SOURCE_VIEW)
@blueprint.arguments(schemas.SourcesQuerySchema, location="query")
@blueprint.response(200, schemas.SourcesSchema)
@blueprint.refuses()
def sources(said: Said) -> SourcesPage:
    """List installed sources, each dealer's newest first."""
    after, limit = said.pop("after"), said.pop("limit")
    return ask(sources_page, viewer=current_viewer(), at=now(), asked=_filter(said), after=after, limit=limit)


@blueprint.get("/sources/expiring")
@needs(Permission.SOURCE_VIEW)
@blueprint.arguments(schemas.ExpiringQuerySchema, location="query")
@blueprint.response(200, schemas.ExpiringSchema)
@blueprint.refuses()
def expiring(said: Said) -> EndingPage:
    """List what is in place and ends soon, soonest first."""
    after, limit, days = said.pop("after"), said.pop("limit"), said.pop("within")
    return ask(
        ending_page,
        viewer=current_viewer(),
        at=now(),
        days=days,
        asked=_filter(said),
        after=after,
        limit=limit,
    )


@blueprint.get("/sources/undetermined")
@needs(Permission.SOURCE_VIEW)
@blueprint.response(200, schemas.UndeterminedSchema)
@blueprint.refuses()
def undetermined() -> Undetermined:
    """See what has to be said before warranties are determined."""
    return ask(undetermined_sources, viewer=current_viewer())


@blueprint.get("/obligations")
@needs(Permission.SOURCE_VIEW)
@blueprint.arguments(schemas.ObligationsQuerySchema, location="query")
@blueprint.response(200, schemas.ObligationsSchema)
@blueprint.refuses("invalid_input")
def obligations(said: Said) -> Obligations:
    """See what an account still owes in warranty, by project and last day."""
    viewer, code = current_viewer(), said.pop("account").upper()
    if not code and viewer.acts_as(CompanyKind.PROGRAM):
        raise Refusal("invalid_input", "Name the account whose obligations you want.", "account")
    return ask(read_obligations, viewer=viewer, at=now(), account_code=code, **said)


@blueprint.get('/referrals/<public_number("R"):ref>/sources')
@needs(Permission.SOURCE_VIEW)
@blueprint.arguments(schemas.ProjectSourcesQuerySchema, location="query")
@blueprint.response(200, schemas.ProjectSourcesSchema)
@blueprint.refuses()
def project_sources(said: Said, ref: str) -> ProjectSources:
    """See a project's installed sources by site and room."""
    return ask(read_project_sources, viewer=current_viewer(), at=now(), ref=ref, **said)
