"""The JSON API that records what happened to installed sources, and a project's sites."""

from __future__ import annotations

from flask import url_for

from referral.clock import now
from referral.db import write
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from warranty.api.blueprint import SOURCE, Answer, Headers, Said, blueprint
from warranty.operations import corrections, project_events, sites, splits
from warranty.operations import events as operations
from warranty.queries.events import RecordedSource, recorded_source
from warranty.queries.sites import SitesPage, sites_page
from warranty.schemas import events as schemas

PROJECT = '/projects/<public_number("R"):ref>'


def _source(ref: str) -> RecordedSource:
    return ask(recorded_source, viewer=current_viewer(), at=now(), ref=ref)


@blueprint.post(f"{SOURCE}/events")
@needs(Permission.SOURCE_RECORD)
@blueprint.arguments(schemas.RecordEventSchema)
@blueprint.response(200, schemas.RecordedSourceSchema)
@blueprint.refuses("not_in_place", "stale_source", "reason_required", "invalid_input")
def record_event(said: Said, ref: str) -> object:
    """Record that a source was delivered, commissioned, moved, taken out, or recorded by mistake."""
    write(operations.record_source_event, actor=current_viewer(), at=now(), ref=ref, **said)
    return _source(ref)


@blueprint.put(f"{SOURCE}/serial")
@needs(Permission.SOURCE_RECORD)
@blueprint.arguments(schemas.IdentifySourceSchema)
@blueprint.response(200, schemas.RecordedSourceSchema)
@blueprint.refuses("not_in_place", "stale_source", "serial_of_one_unit", "serial_taken", "invalid_input")
def identify_source(said: Said, ref: str) -> object:
    """Record the serial number of a unit."""
    write(operations.identify_source, actor=current_viewer(), at=now(), ref=ref, **said)
    return _source(ref)


@blueprint.post(f"{SOURCE}/events/<int:number>/correction")
@needs(Permission.SOURCE_RECORD)
@blueprint.arguments(schemas.CorrectEventSchema)
@blueprint.response(200, schemas.RecordedSourceSchema)
@blueprint.refuses("stale_source", "reason_required", "event_fixed")
def correct_event(said: Said, ref: str, number: int) -> object:
    """Say that an event was recorded wrongly; of a swap both are corrected."""
    write(corrections.correct_event, actor=current_viewer(), at=now(), ref=ref, number=number, **said)
    return _source(ref)


@blueprint.post(f"{SOURCE}/splits")
@needs(Permission.SOURCE_RECORD)
@blueprint.arguments(schemas.SplitSourceSchema)
@blueprint.response(201, schemas.RecordedSourceSchema)
@blueprint.refuses("not_in_place", "stale_source", "invalid_input")
def split_source(said: Said, ref: str) -> tuple[object, Headers]:
    """Record some units of a group apart; the answer is the new source."""
    source = write(splits.split_source, actor=current_viewer(), at=now(), ref=ref, **said)
    new_ref = f"{ref.rpartition('-')[0]}-{source.number}"
    return _source(new_ref), {"Location": url_for("warranty_api.show_source", ref=new_ref)}


@blueprint.post(f"{SOURCE}/replacement")
@needs(Permission.SOURCE_RECORD)
@blueprint.arguments(schemas.RecordSwapSchema)
@blueprint.response(200, schemas.RecordedSourceSchema)
@blueprint.refuses("not_in_place", "stale_source", "invalid_input")
def record_swap(said: Said, ref: str) -> object:
    """Record which warranty replacement took the place of a source; the answer is the new unit."""
    _, new = write(operations.record_swap, actor=current_viewer(), at=now(), ref=ref, **said)
    return _source(f"{ref.rpartition('-')[0]}-{new.number}")


@blueprint.post(f"{PROJECT}/source-events")
@needs(Permission.SOURCE_RECORD)
@blueprint.arguments(schemas.RecordProjectEventsSchema)
@blueprint.response(200, schemas.RecordedCountSchema)
@blueprint.refuses("invalid_input")
def record_project_events(said: Said, ref: str) -> Answer:
    """Record the same of many sources of a project: all of them, or none."""
    count = write(
        project_events.record_project_events, actor=current_viewer(), at=now(), ref=ref, count=None, **said
    )
    return {"recorded": count}


@blueprint.get(f"{PROJECT}/sites")
@needs(Permission.SOURCE_VIEW)
@blueprint.response(200, schemas.SitesSchema)
@blueprint.refuses()
def sites_of_project(ref: str) -> object:
    """List the sites of a project."""
    return _sites(ref)


def _sites(ref: str) -> SitesPage:
    return ask(sites_page, viewer=current_viewer(), at=now(), ref=ref)


@blueprint.post(f"{PROJECT}/sites")
@needs(Permission.SOURCE_RECORD)
@blueprint.arguments(schemas.AddSiteSchema)
@blueprint.response(201, schemas.SiteSchema)
@blueprint.refuses("invalid_input")
def add_site(said: Said, ref: str) -> tuple[object, Headers]:
    """Add a site to a project."""
    site = write(sites.add_site, actor=current_viewer(), at=now(), ref=ref, **said)
    row = next(row for row in _sites(ref).sites if row.number == site.number)
    return row, {"Location": url_for("warranty_api.sites_of_project", ref=ref)}
