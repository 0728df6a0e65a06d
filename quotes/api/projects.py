"""The JSON API of projects: milestones, trades, completeness."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from flask import url_for

from quotes.api.blueprint import Answer, Headers, Said, blueprint
from quotes.operations import projects as operations
from quotes.queries.completeness import Completeness
from quotes.queries.projects import project_page
from quotes.schemas import projects as schemas
from quotes.states import MilestoneKind
from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs

PROJECT = '/projects/<public_number("R"):ref>'


@blueprint.get(PROJECT)
@needs(Permission.REFERRAL_VIEW)
@blueprint.response(200, schemas.ProjectSchema)
@blueprint.refuses()
def show_project(ref: str) -> Answer:
    """See a project: its milestones, its trades, and what is quoted, ordered and credited."""
    page = ask(project_page, viewer=current_viewer(), at=now(), ref=ref)
    return {
        **vars(page),
        "credit_currency": page.completeness.credit_currency,
        "lines": _lines(page.completeness),
    }


def _lines(found: Completeness) -> list[Answer]:
    hidden: Answer = {} if found.shows_credit else {"credit_cents": None}
    return [
        asdict(line)
        | {"missing_quantity": line.missing_quantity, "missing_cents": line.missing_cents}
        | hidden
        for line in found.lines
    ]


@blueprint.put(f"{PROJECT}/milestones/<kind>")
@needs(Permission.PROJECT_PLAN)
@blueprint.arguments(schemas.SetMilestoneSchema)
@blueprint.response(200, schemas.MilestoneSchema)
@blueprint.refuses("referral_closed", "stale_plan", "reason_required")
def set_milestone(said: Said, ref: str, kind: str) -> object:
    """Say what holds of a milestone: specify, pre_wire, install, commissioning or programming."""
    if kind not in set(MilestoneKind):
        raise Refusal("not_found")
    milestone = MilestoneKind(kind)
    write(operations.set_milestone, actor=current_viewer(), at=now(), ref=ref, kind=milestone, **said)
    return ask(project_page, viewer=current_viewer(), at=now(), ref=ref).milestone(milestone)


@blueprint.post(f"{PROJECT}/trades")
@needs(Permission.PROJECT_PLAN)
@blueprint.arguments(schemas.AddTradeSchema)
@blueprint.response(201, schemas.TradeSchema)
@blueprint.refuses("referral_closed")
def add_trade(said: Said, ref: str) -> tuple[object, Headers]:
    """Add a trade to a project."""
    trade = write(operations.add_trade, actor=current_viewer(), at=now(), ref=ref, **said)
    return trade, {"Location": url_for("quotes_api.show_project", ref=ref)}


@blueprint.put(f"{PROJECT}/trades/<uuid:trade_id>")
@needs(Permission.PROJECT_PLAN)
@blueprint.arguments(schemas.ChangeTradeSchema)
@blueprint.response(200, schemas.TradeSchema)
@blueprint.refuses("referral_closed", "stale_plan")
def change_trade(said: Said, ref: str, trade_id: UUID) -> object:
    """Change a trade, or say that its part is done."""
    return write(
        operations.change_trade, actor=current_viewer(), at=now(), ref=ref, trade_id=trade_id, **said
    )


@blueprint.post(f"{PROJECT}/trades/<uuid:trade_id>/removal")
@needs(Permission.PROJECT_PLAN)
@blueprint.arguments(schemas.RemoveTradeSchema)
@blueprint.response(204)
@blueprint.refuses("referral_closed", "stale_plan")
def remove_trade(said: Said, ref: str, trade_id: UUID) -> None:
    """Take a trade off a project."""
    write(operations.remove_trade, actor=current_viewer(), at=now(), ref=ref, trade_id=trade_id, **said)
