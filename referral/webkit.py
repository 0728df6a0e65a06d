"""The web's side of the house: permission at the door, refusals as pages or problems, headers, navigation."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Flask, Response, current_app, g, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from flask_wtf.csrf import CSRFError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response as BaseResponse

from referral.db import read, write
from referral.errors import REFUSALS, Refusal
from referral.money import format_cents, format_exchange_rate, format_rate
from referral.permissions import Permission, Viewer
from referral.queries.settings import time_zone
from referral.text import say_day

P = ParamSpec("P")
R = TypeVar("R")
View = TypeVar("View", bound=Callable[..., Any])

API_PREFIX = "/api/"

STATUS: Mapping[str, int] = {
    "not_found": 404,
    "forbidden": 403,
    "delegation_expired": 403,
    "sign_in_failed": 401,
    "too_many_tries": 429,
    "invitation_expired": 410,
    "file_too_large_or_not_a_workbook": 422,
    "file_has_errors": 422,
    "idempotency_key_reused": 422,
    "invalid_input": 422,
    "amount_too_large": 422,
    "levels_invalid": 422,
    "model_number_unknown": 422,
    "not_list_price": 422,
    "role_not_for_company": 422,
    "same_dealer": 422,
    "setting_invalid": 422,
    "typed_account_mismatch": 422,
    "typed_name_mismatch": 422,
    "account_number_unknown_for_dealer": 422,
    "attestation_missing": 422,
    "account_number_missing": 422,
    "idempotency_key_missing": 422,
    "reason_required": 422,
    "empty_order": 422,
    "empty_quote": 422,
    "catalogue_invalid": 422,
    "not_confirmed": 422,
    "not_eligible": 422,
    "outside_hours": 422,
    "term_too_long": 422,
    "terms_not_accepted": 422,
}
"""HTTP status of a refusal; what is not listed is a conflict with how things stand: 409."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'"
)


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal."""
    return STATUS.get(refusal.code, 409)


# the door ---------------------------------------------------------------------------------------


def needs(permission: Permission) -> Callable[[View], View]:
    """Mark a view with the permission it asks for; a view without one answers 403 to everyone."""

    def mark(view: View) -> View:
        view.permission = permission  # type: ignore[attr-defined] # the mark is read by permission_of
        return view

    return mark


def permission_of(app: Flask, endpoint: str) -> Permission | None:
    """Return what an endpoint asks for: its mark, or the table for views that are not ours."""
    foreign: Mapping[str, Permission] = app.extensions["foreign_permissions"]
    if endpoint in foreign:
        return foreign[endpoint]
    return getattr(app.view_functions.get(endpoint), "permission", None)


def current_viewer() -> Viewer:
    """Return who asks. Raises Refusal(forbidden) where nobody is signed in."""
    viewer: Viewer | None = g.get("viewer")
    if viewer is None:
        raise Refusal("forbidden")
    return viewer


def is_api() -> bool:
    """Say whether this request is for the JSON API."""
    return request.path.startswith(API_PREFIX)


def _guard_door() -> BaseResponse | None:
    """Ask every request for its permission, before anything else happens."""
    if current_app.config["DEMO"] and not _is_this_machine(request.remote_addr):
        raise Refusal("forbidden", "The demo answers its own machine only.")
    g.viewer = current_app.extensions["load_viewer"]()
    if any("\x00" in text for text in (request.path, *request.args.values(), *request.args.keys())):
        raise Refusal("not_found")
    if request.endpoint is None:
        return None
    if request.blueprint == "security" and not all(
        map(is_own_path, filter(None, request.values.getlist("next")))
    ):
        raise Refusal("not_found")
    permission = permission_of(current_app, request.endpoint)
    if permission is None:
        raise Refusal("forbidden")
    if permission is Permission.PUBLIC:
        return None
    if g.viewer is None:
        if is_api():
            return problem(401, "sign_in_failed", "Send a bearer token; POST /api/v1/tokens gives one.")
        return redirect(url_for("security.login", next=_here()), 303)
    if not g.viewer.may(permission):
        raise Refusal(g.viewer.why_not(permission))
    return None


def _is_this_machine(address: str | None) -> bool:
    """Say whether a request comes over the loopback interface."""
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False


def _here() -> str | None:
    """Return where a person wanted to go, for after the sign-in: only pages are gone back to."""
    return request.full_path.rstrip("?") if request.method == "GET" and request.path != "/" else None


def is_own_path(target: str) -> bool:
    """Say whether a redirect target is a path of this site and nothing a browser reads otherwise."""
    if any(character in target for character in "\\\t\r\n") or any(
        ord(character) < 32 for character in target
    ):
        return False
    parts = urlsplit(target)
    return not parts.scheme and not parts.netloc and target.startswith("/") and not target.startswith("//")


# answers ----------------------------------------------------------------------------------------


def problem(status: int, code: str, detail: str, **more: object) -> Response:
    """Return problem+json (RFC 9457) with the refusal's code."""
    answer: Response = current_app.json.response(  # type: ignore[assignment] # Flask's own, typed as its base
        {
            "type": "about:blank",
            "title": REFUSALS.get(code, detail),
            "status": status,
            "code": code,
            "detail": detail,
        }
        | {name: value for name, value in more.items() if value}
    )
    answer.status_code = status
    answer.content_type = "application/problem+json"
    return answer


def problem_of(refusal: Refusal) -> Response:
    """Return a refusal as problem+json with its details and every single problem."""
    return problem(
        status_of(refusal),
        refusal.code,
        refusal.message,
        field=refusal.field,
        details=dict(refusal.details),
        problems=[vars(each) for each in refusal.problems],
    )


def error_page(status: int, title: str, message: str, **context: object) -> tuple[str, int]:
    """Return the one page for every no."""
    return render_template("error.html", status=status, title=title, message=message, **context), status


def _on_refusal(refusal: Refusal) -> Response:
    response = current_app.make_response(problem_of(refusal) if is_api() else _refusal_page(refusal))
    if "retry_after_seconds" in refusal.details:
        response.headers["Retry-After"] = str(refusal.details["retry_after_seconds"])
    return response


def _refusal_page(refusal: Refusal) -> tuple[str, int]:
    titles = {404: "Nothing here", 403: "Not allowed", 410: "Too late", 429: "Wait a little"}
    return error_page(
        status_of(refusal),
        titles.get(status_of(refusal), "That did not work"),
        refusal.message,
        code=refusal.code,
        details=[each.message for each in refusal.problems],
    )


def _on_http_error(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400 or isinstance(error, SecurityError):  # for a foreign host no page can build its links
        return error
    if status == 404:
        return _on_refusal(Refusal("not_found"))
    if status == 413:
        return _on_refusal(Refusal("file_too_large_or_not_a_workbook"))
    text = error.description or error.name
    if isinstance(error, CSRFError):
        text = "This page was open for too long. Go back, load it again and send it once more."
    answer: Any = problem(status, "http_error", text) if is_api() else error_page(status, error.name, text)
    response = current_app.make_response(answer)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _on_crash(error: Exception) -> Any:
    reference = secrets.token_hex(4)
    current_app.logger.error("reference %s", reference, exc_info=error)
    if is_api():
        return problem(500, "internal_error", f"Something broke. Reference {reference}.")
    return error_page(500, "Something broke", "We wrote down what happened. Try again.", reference=reference)


def submitted(
    form: FlaskForm,
    operation: Callable[Concatenate[Session, P], R],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R | None:
    """Write what a validated form says; a refusal becomes an error beside its field and answers None.

    Refusals that mean "not here" or "not you" are raised on, to become pages of their own.
    """
    try:
        return write(operation, *args, **kwargs)
    except Refusal as refusal:
        if refusal.code in {"not_found", "forbidden"} and not refusal.field:
            raise
        show_refusal(form, refusal)
        return None


def show_refusal(form: FlaskForm, refusal: Refusal) -> None:
    """Put a refusal's sentence beside the field that caused it, or on top; its code stays readable."""
    g.refusal = refusal
    problems = [(each.field, each.message) for each in refusal.problems] or [(refusal.field, refusal.message)]
    for name, message in problems:
        field = _find_field(form, name)
        if field is not None:
            field.errors = [*field.errors, message]
        else:
            form.form_errors.append(message)


def _find_field(form: Any, name: str) -> Any:
    if name in form:
        return form[name]
    for field in form:
        for entry in getattr(field, "entries", ()):
            for inner in getattr(entry, "form", ()):
                if inner.name == name:
                    return inner
    return None


def form_status() -> int:
    """Return the status of a page that shows a form again: the refusal's, or 422 for plain bad input."""
    refusal: Refusal | None = g.get("refusal")
    return 422 if refusal is None else status_of(refusal)


def ask(query: Callable[Concatenate[Session, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a read for a page. Reading goes through here so that a page can be counted."""
    return read(query, *args, **kwargs)


# page furniture ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class NavItem:
    """An entry of the main navigation: shown to those who have the permission."""

    label: str
    endpoint: str
    permission: Permission


@dataclass(frozen=True)
class NavLink:
    """A navigation entry on a page."""

    label: str
    url: str
    is_current: bool
    count: int | None = None


def _context() -> dict[str, object]:
    viewer: Viewer | None = g.get("viewer")
    items: Sequence[NavItem] = current_app.extensions["navigation"]
    blueprint = (request.endpoint or "").rpartition(".")[0]
    links = []
    for item in items:
        if viewer is None or not viewer.may(item.permission):
            continue
        url = url_for(item.endpoint)
        here = request.path == url or (url != "/" and request.path.startswith(f"{url}/"))
        links.append(NavLink(item.label, url, here))
    return {
        "viewer": viewer,
        "nav": links,
        "demo": bool(current_app.config["DEMO"]),
        "home_url": url_for("quotes.home"),
        "help_url": url_for("referral.help_page"),
        "search_url": url_for("quotes.search"),
        "sign_out_url": url_for("security.logout"),
        "password_url": url_for("security.change_password"),
        "blueprint": blueprint,
        "may": (lambda name: viewer is not None and viewer.may(Permission(name))),
    }


def zone() -> ZoneInfo:
    """Return the program's time zone, read once a request."""
    if "zone" not in g:
        g.zone = ZoneInfo(read(time_zone))
    found: ZoneInfo = g.zone
    return found


def format_instant(at: datetime | None) -> str:
    """Write an instant in the program's zone with the zone's name, as 21 Nov 2026, 4:05 PM EST."""
    if at is None:
        return ""
    local = at.astimezone(zone())
    return f"{local.day} {local:%b %Y}, {local.hour % 12 or 12}:{local:%M %p} {local.tzname()}"


def _secure(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    if request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    return response


def prepare_app(
    app: Flask,
    *,
    load_viewer: Callable[[], Viewer | None],
    foreign_permissions: Mapping[str, Permission],
    navigation: Sequence[NavItem],
) -> None:
    """Make every answer of the app go through this kit; called once at the roof."""
    app.extensions["load_viewer"] = load_viewer
    app.extensions["foreign_permissions"] = foreign_permissions
    app.extensions["navigation"] = navigation
    app.before_request(_guard_door)
    app.after_request(_secure)
    app.context_processor(_context)
    app.register_error_handler(Refusal, _on_refusal)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_crash)
    app.jinja_env.filters["cents"] = format_cents
    app.jinja_env.filters["rate"] = format_rate
    app.jinja_env.filters["exchange_rate"] = format_exchange_rate
    app.jinja_env.filters["instant"] = format_instant
    app.jinja_env.filters["day"] = say_day
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
