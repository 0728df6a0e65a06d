"""Pages: lending the right to decide to a colleague for some days."""

from __future__ import annotations

from uuid import UUID

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.forms.delegations import LendDecisionForm
from referral.operations import delegations as operations
from referral.permissions import Permission
from referral.queries.delegations import delegations_page
from referral.views.blueprint import blueprint
from referral.webkit import ask, current_viewer, form_status, needs, submitted


@blueprint.get("/delegations")
@needs(Permission.DECISION_LEND)
def delegations() -> str:
    """List who decides for whom, until when."""
    page = ask(delegations_page, viewer=current_viewer(), at=now())
    return render_template("referral/delegations.html", page=page)


@blueprint.route("/delegations/lend", methods=["GET", "POST"])
@needs(Permission.DECISION_LEND)
def lend_decision() -> tuple[str, int] | Response:
    """Lend the right to decide."""
    viewer = current_viewer()
    page = ask(delegations_page, viewer=viewer, at=now())
    form = LendDecisionForm(approver_id=str(viewer.user_id), first_on=page.day)
    form.offer(page)
    row = None
    if form.validate_on_submit():
        approver_id, delegate_id = form.chosen()
        row = submitted(
            form,
            operations.lend_decision,
            actor=viewer,
            at=now(),
            approver_id=approver_id,
            delegate_id=delegate_id,
            first_on=form.first_on.data,
            last_on=form.last_on.data,
        )
    if row is None:
        status = form_status() if form.is_submitted() else 200
        return render_template("referral/lend_decision.html", form_=form, page=page), status
    flash("The right is lent. Both get a mail.", "success")
    return redirect(url_for("referral.delegations"), 303)


@blueprint.post("/delegations/<uuid:delegation_id>/end")
@needs(Permission.DECISION_LEND)
def end_delegation(delegation_id: UUID) -> Response:
    """End a lending at once."""
    form = LendDecisionForm(formdata=None)
    ended = submitted(
        form,
        operations.end_delegation,
        actor=current_viewer(),
        at=now(),
        delegation_id=delegation_id,
    )
    if ended is None:
        flash(" ".join(form.form_errors), "error")
    else:
        flash("The right is back. What was decided stays.", "success")
    return redirect(url_for("referral.delegations"), 303)
