"""The JSON API of one installed source and its coverage."""

from __future__ import annotations

from referral.clock import now
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from warranty.api.blueprint import SOURCE, Answer, Said, blueprint
from warranty.queries.coverage import CoverageAnswer, coverage_of
from warranty.queries.source_page import source_page
from warranty.schemas import coverage as schemas


@blueprint.get(SOURCE)
@needs(Permission.SOURCE_VIEW)
@blueprint.response(200, schemas.SourceSchema)
@blueprint.refuses()
def show_source(ref: str) -> Answer:
    """See an installed source: where it is, what happened to it, and whether it is covered today."""
    page = ask(source_page, viewer=current_viewer(), ref=ref, at=now())
    source, others = page.source, page.other_refs
    return {
        **vars(source),
        "id": page.ref,
        "site": page.site.name,
        "referral": page.referral_ref,
        "order": page.order_ref,
        "account": page.account_name,
        "replaces": None if source.replaces_id is None else others[source.replaces_id],
        "split_from": None if source.split_from_id is None else others[source.split_from_id],
        "coverage": _coverage(page.answer),
        "events": page.events,
        "claims": page.claims,
    }


@blueprint.get(f"{SOURCE}/coverage")
@needs(Permission.SOURCE_VIEW)
@blueprint.arguments(schemas.AskCoverageSchema, location="query")
@blueprint.response(200, schemas.CoverageSchema)
@blueprint.refuses("invalid_input")
def show_coverage(said: Said, ref: str) -> Answer:
    """Ask whether a failure is covered, as it was known at an instant: the same answer whenever it is asked."""
    return _coverage(ask(coverage_of, viewer=current_viewer(), ref=ref, at=now(), **said))


def _coverage(answer: CoverageAnswer) -> Answer:
    found = answer.coverage
    return {
        "source": answer.ref,
        "as_of": answer.as_of,
        "failed_on": answer.failed_on,
        "reported_on": answer.reported_on,
        "decides_on": found.decides_on,
        "verdict": found.verdict,
        "words": answer.words,
        "reasons": found.reasons,
        "covers": found.covers,
        "warranty_starts_on": found.warranty.starts_on,
        "warranty_ends_on": found.warranty.ends_on,
        "limit_on": found.warranty.limit_on,
        "reportable_on": found.reportable_on,
        "lacking": found.lacking,
        "site": answer.site,
        "terms": answer.term,
        "recorded_later": answer.later,
        "known_now": answer.known_now,
    }
