"""The page of the systems at a project's sites."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, form_status, needs, submitted
from support.forms.quotas import RecordSystemForm
from support.operations import systems as operations
from support.queries.systems import SystemsPage, systems_page
from support.rules.entitlement import PLATFORM_WORDS
from support.states import Platform
from support.views.blueprint import blueprint


@blueprint.get("/referrals/<ref>/systems")
@needs(Permission.SUPPORT_VIEW)
def site_systems(ref: str) -> str:
    """Show which systems are at the sites of a project, and since when."""
    page = _page(ref)
    form = RecordSystemForm(formdata=None, data={"is_there": "yes"})
    form.offer([each.site for each in page.sites])
    if page.sites:
        form.since_on.data = page.sites[0].site.today
    return _drawn(page, form)


@blueprint.post("/referrals/<ref>/systems")
@needs(Permission.CALL_WORK)
def record_system(ref: str) -> Response | tuple[str, int]:
    """Record what system is at a site since when."""
    page = _page(ref)
    if not page.may_record:
        raise Refusal("forbidden")
    form = RecordSystemForm()
    form.offer([each.site for each in page.sites])
    if form.validate():
        row = submitted(
            form,
            operations.record_system,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            site_number=int(form.site_number.data),
            platform=Platform(form.platform.data),
            since_on=form.since_on.data,
            is_there=form.is_there.data == "yes",
            has_remote_access=form.has_remote_access.data,
            words=form.words.data,
        )
        if row is not None:
            flash("It is recorded. Answers about earlier days stay what they were.", "success")
            return redirect(url_for("support.site_systems", ref=ref), 303)
    return _drawn(page, form), form_status()


def _page(ref: str) -> SystemsPage:
    return ask(systems_page, viewer=current_viewer(), at=now(), ref=ref)


def _drawn(page: SystemsPage, form: RecordSystemForm) -> str:
    return render_template("support/site_systems.html", page=page, form_=form, platforms=PLATFORM_WORDS)
