"""Pages: projects, their milestones and trades, and what was approved and never ordered."""

from __future__ import annotations

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for

from quotes.forms.projects import AddTradeForm, ChangeTradeForm, RemoveTradeForm, SetMilestoneForm
from quotes.operations import projects as operations
from quotes.queries.never_ordered import never_ordered_page
from quotes.queries.projects import ProjectPage, project_page, projects_page
from quotes.rules.projects import MILESTONE_WORDS
from quotes.states import MilestoneKind
from quotes.views.blueprint import blueprint
from quotes.views.review import Answer
from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import NavLink, ask, current_viewer, form_status, needs, submitted

PROJECT_VIEWS = {"": "All", "late": "Late"}
NEVER_ORDERED_VIEWS = {"": "All", "open": "Can be ordered", "expired": "Expired"}


def _view_asked_for(views: dict[str, str]) -> str:
    name = request.args.get("view", "")
    if name not in views:
        raise Refusal("not_found")
    return name


@blueprint.get("/projects")
@needs(Permission.REFERRAL_VIEW)
def projects() -> str:
    """List the projects under way, with how late they are."""
    chosen, after = _view_asked_for(PROJECT_VIEWS), request.args.get("after") or None
    page = ask(projects_page, viewer=current_viewer(), at=now(), is_late=chosen == "late", after=after)
    views = [
        NavLink(
            label,
            url_for("quotes.projects", view=name or None),
            name == chosen,
            page.late_count if name == "late" else None,
        )
        for name, label in PROJECT_VIEWS.items()
    ]
    next_url = page.after and url_for("quotes.projects", view=chosen or None, after=page.after)
    return render_template("quotes/projects.html", page=page, views=views, chosen=chosen, next_url=next_url)


@blueprint.get("/projects/never-ordered")
@needs(Permission.QUOTE_VIEW)
def never_ordered() -> str:
    """List what was approved and never ordered, over all projects."""
    chosen, after = _view_asked_for(NEVER_ORDERED_VIEWS), request.args.get("after") or None
    is_expired = {"": None, "open": False, "expired": True}[chosen]
    page = ask(never_ordered_page, viewer=current_viewer(), at=now(), is_expired=is_expired, after=after)
    views = [
        NavLink(label, url_for("quotes.never_ordered", view=name or None), name == chosen)
        for name, label in NEVER_ORDERED_VIEWS.items()
    ]
    next_url = page.after and url_for("quotes.never_ordered", view=chosen or None, after=page.after)
    return render_template(
        "quotes/never_ordered.html", page=page, views=views, chosen=chosen, next_url=next_url
    )


@blueprint.get("/projects/<ref>")
@needs(Permission.REFERRAL_VIEW)
def show_project(ref: str) -> str:
    """Show a project: plan, trades, completeness."""
    return render_template("quotes/project.html", page=_page(ref))


def _page(ref: str) -> ProjectPage:
    return ask(project_page, viewer=current_viewer(), at=now(), ref=ref)


def _plannable(ref: str) -> ProjectPage:
    """Return a project whose plan may change now. Raises Refusal(not_found), (referral_closed)."""
    page = _page(ref)
    if not page.is_plannable:
        raise Refusal("referral_closed", "A project is planned once its account has accepted the referral.")
    return page


# milestones -------------------------------------------------------------------------------------


@blueprint.get("/projects/<ref>/milestones/<kind>")
@blueprint.post("/projects/<ref>/milestones/<kind>")
@needs(Permission.PROJECT_PLAN)
def set_milestone(ref: str, kind: str) -> Answer:
    """Say what holds of a milestone; what was said before stays in its history."""
    if kind not in set(MilestoneKind):
        raise Refusal("not_found")
    milestone = MilestoneKind(kind)
    if request.method != "POST":
        page = _plannable(ref)
        row = page.milestone(milestone)
        data = vars(row.days) | {
            "number": row.number,
            "owner": row.owner,
            "slip_reason": row.slip_reason,
        }
        return _milestone_form(page, milestone, SetMilestoneForm(formdata=None, data=data), 200)
    form = SetMilestoneForm()
    entry = None
    if form.validate():
        entry = submitted(
            form,
            operations.set_milestone,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            kind=milestone,
            number=form.number.data,
            planned_on=form.planned_on.data,
            forecast_on=form.forecast_on.data,
            actual_on=form.actual_on.data,
            owner=form.owner.data,
            slip_reason=form.slip_reason.data,
        )
    if entry is None:
        return _milestone_form(_plannable(ref), milestone, form, form_status())
    flash(f"{MILESTONE_WORDS[milestone]} is saved, and both sides see it.", "success")
    return redirect(url_for("quotes.show_project", ref=ref), 303)


def _milestone_form(
    page: ProjectPage, kind: MilestoneKind, form: SetMilestoneForm, status: int
) -> tuple[str, int]:
    row = page.milestone(kind)
    return render_template("quotes/set_milestone.html", page=page, row=row, form_=form), status


# trades -----------------------------------------------------------------------------------------


@blueprint.get("/projects/<ref>/trades/new")
@blueprint.post("/projects/<ref>/trades/new")
@needs(Permission.PROJECT_PLAN)
def add_trade(ref: str) -> Answer:
    """Add a trade to the project."""
    form = AddTradeForm()
    trade = None
    if form.validate_on_submit():
        trade = submitted(
            form,
            operations.add_trade,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            trade=form.trade.data,
            name=form.name.data,
            contact=form.contact.data,
            scope=form.scope.data,
            agreed_on=form.agreed_on.data,
            done_on=form.done_on.data,
        )
    if trade is None:
        status = form_status() if form.is_submitted() else 200
        return render_template("quotes/add_trade.html", page=_plannable(ref), form_=form), status
    flash(f"{trade.trade} is added.", "success")
    return redirect(url_for("quotes.show_project", ref=ref), 303)


@blueprint.get("/projects/<ref>/trades/<uuid:trade_id>")
@blueprint.post("/projects/<ref>/trades/<uuid:trade_id>")
@needs(Permission.PROJECT_PLAN)
def change_trade(ref: str, trade_id: UUID) -> Answer:
    """Change a trade, or say that its part is done."""
    if request.method != "POST":
        page = _plannable(ref)
        form = ChangeTradeForm(formdata=None, data=vars(page.trade(trade_id)))
        return _trade_form(page, trade_id, form, 200)
    form = ChangeTradeForm()
    trade = None
    if form.validate():
        trade = submitted(
            form,
            operations.change_trade,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            trade_id=trade_id,
            version=form.version.data,
            trade=form.trade.data,
            name=form.name.data,
            contact=form.contact.data,
            scope=form.scope.data,
            agreed_on=form.agreed_on.data,
            done_on=form.done_on.data,
        )
    if trade is None:
        return _trade_form(_plannable(ref), trade_id, form, form_status())
    flash(f"{trade.trade} is saved.", "success")
    return redirect(url_for("quotes.show_project", ref=ref), 303)


def _trade_form(page: ProjectPage, trade_id: UUID, form: ChangeTradeForm, status: int) -> tuple[str, int]:
    row = page.trade(trade_id)
    removing = RemoveTradeForm(formdata=None, data={"version": row.version})
    return render_template(
        "quotes/change_trade.html", page=page, row=row, form_=form, removing=removing
    ), status


@blueprint.post("/projects/<ref>/trades/<uuid:trade_id>/remove")
@needs(Permission.PROJECT_PLAN)
def remove_trade(ref: str, trade_id: UUID) -> Answer:
    """Take a trade off the project."""
    form = RemoveTradeForm()
    removed = None
    if form.validate():
        removed = submitted(
            form,
            operations.remove_trade,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            trade_id=trade_id,
            version=form.version.data,
        )
    if removed is None:
        page = _plannable(ref)
        fresh = ChangeTradeForm(formdata=None, data=vars(page.trade(trade_id)))
        fresh.form_errors.extend(form.form_errors)
        return _trade_form(page, trade_id, fresh, form_status())
    flash("The trade is removed.", "success")
    return redirect(url_for("quotes.show_project", ref=ref), 303)
