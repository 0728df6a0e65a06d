"""The roof: makes the application out of every floor. Nothing but tests imports it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask_migrate import Migrate
from sqlalchemy import inspect
from werkzeug.middleware.proxy_fix import ProxyFix

import ledger.api
import ledger.cli.balance
import ledger.cli.check_export
import ledger.cli.check_receipt
import ledger.cli.checkpoint
import ledger.cli.close
import ledger.cli.export
import ledger.cli.group
import ledger.cli.imports
import ledger.cli.verify
import ledger.views.adjustments
import ledger.views.checkpoints
import ledger.views.credit
import ledger.views.disputes
import ledger.views.entries
import ledger.views.imports
import ledger.views.levels
import ledger.views.period_statements
import ledger.views.reversals
import ledger.views.transfers
import ledger.views.years
import quotes.api.bills
import quotes.api.orders
import quotes.api.price_lists
import quotes.api.projects
import quotes.api.quotes
import quotes.api.recalls
import quotes.api.remarks
import quotes.api.services
import quotes.cli
import quotes.views.bills
import quotes.views.builder
import quotes.views.design_files
import quotes.views.draft_tools
import quotes.views.home
import quotes.views.listings
import quotes.views.orders
import quotes.views.papers
import quotes.views.price_lists
import quotes.views.project_calendar
import quotes.views.projects
import quotes.views.qualifications
import quotes.views.recalls
import quotes.views.remarks
import quotes.views.replacements
import quotes.views.returns
import quotes.views.review
import quotes.views.search
import quotes.views.services
import quotes.views.shipments
import referral.api
import referral.cli.admins
import referral.cli.worker
import referral.views.assignments
import referral.views.audit
import referral.views.companies
import referral.views.delegations
import referral.views.exchange_rates
import referral.views.help
import referral.views.mail
import referral.views.people
import referral.views.profiles
import referral.views.referral_list
import referral.views.referrals
import referral.views.saved_views
import referral.views.settings
import support.api.agreements
import support.api.calls
import support.api.offers
import support.api.quotas
import support.api.visits
import support.cli
import support.views.agreements
import support.views.builder
import support.views.calls
import support.views.catalogue
import support.views.offers
import support.views.quotas
import support.views.systems
import support.views.visits
import warranty.api.claims
import warranty.api.events
import warranty.api.listings
import warranty.api.sources
import warranty.api.terms
import warranty.cli
import warranty.views.claims
import warranty.views.events
import warranty.views.labels
import warranty.views.listings
import warranty.views.obligations
import warranty.views.projects
import warranty.views.serials
import warranty.views.sites
import warranty.views.sources
import warranty.views.terms
from demo.cli import demo_cli
from ledger.queries.checkpoints import checkpoint_faults
from ledger.queries.dispute_verification import dispute_faults
from ledger.queries.open_items import ledger_open_items
from ledger.queries.pair_verification import transfer_faults
from ledger.queries.verification import ledger_faults
from ledger.queries.year_verification import closing_faults
from ledger.sheets.year import credit_sheets
from ledger.views.blueprint import blueprint as ledger_pages
from quotes.api.blueprint import blueprint as quotes_api
from quotes.forms.lists import FilterOrdersForm, FilterQuotesForm
from quotes.operations.followers import set_followers
from quotes.operations.recalls import tell_of_recalls
from quotes.operations.reminders import remind_of_expiry
from quotes.queries.design_files import design_file_faults
from quotes.queries.evidence_verification import evidence_faults
from quotes.queries.explanations import explain_entry
from quotes.queries.open_items import quote_open_items
from quotes.queries.outlook import credit_outlook
from quotes.queries.recalls import dealers_to_tell
from quotes.queries.reminders import reminders_due
from quotes.queries.search import Searcher, page_of_number, search
from quotes.queries.trail_verification import trail_faults
from quotes.queries.verification import quote_faults
from quotes.sheets.year import order_sheets
from quotes.views.blueprint import blueprint as quote_pages
from referral.apikit import prepare_api
from referral.db import db, prepare_engine, read
from referral.forms.referral_list import FilterReferralsForm
from referral.mailkit import BadMailSetting, prepare_mail
from referral.operations.jobs import Job
from referral.operations.mail import owe_digest
from referral.permissions import Permission
from referral.queries.companies import has_companies
from referral.queries.mail import digests_due
from referral.queries.settings import is_demo
from referral.signin import FOREIGN_PERMISSIONS, load_viewer, prepare_sign_in
from referral.views.blueprint import blueprint as referral_pages
from referral.webkit import NavItem, prepare_app
from support.api.blueprint import blueprint as support_api
from support.forms.agreements import FilterAgreementsForm
from support.forms.calls import FilterCallsForm
from support.forms.visits import FilterVisitsForm
from support.operations.calls_telling import tell_of_due_calls
from support.queries.agreement_verification import agreement_faults
from support.queries.agreements_home import agreement_panels
from support.queries.call_jobs import due_calls
from support.queries.call_verification import call_faults
from support.queries.calls_home import call_panels
from support.queries.catalogue_verification import catalogue_faults
from support.queries.plans import plans_known
from support.queries.quota_verification import quota_faults
from support.queries.search import page_of_support_number, search_support
from support.queries.visit_verification import visit_faults
from support.queries.visits_calendar import visit_times
from support.views.blueprint import blueprint as support_pages
from warranty.api.blueprint import blueprint as warranty_api
from warranty.forms.claims import FilterClaimsForm
from warranty.forms.lists import FilterExpiringForm, FilterSourcesForm
from warranty.operations.following import follow_order
from warranty.operations.jobs import follow_orders, read_terms
from warranty.queries.claim_verification import claim_faults
from warranty.queries.claims_home import claim_panels
from warranty.queries.jobs import orders_due, terms_due
from warranty.queries.plans import set_plan_reader
from warranty.queries.search import page_of_warranty_number, search_warranty
from warranty.queries.verification import warranty_faults
from warranty.views.blueprint import blueprint as warranty_pages

ROOT = Path(__file__).parent
SHORTEST_SECRET = 32

NAVIGATION = (
    NavItem("Home", "quotes.home", Permission.SIGNED_IN),
    NavItem("Referrals", "referral.referrals", Permission.REFERRAL_VIEW),
    NavItem("Projects", "quotes.projects", Permission.REFERRAL_VIEW),
    NavItem("Quotes", "quotes.quotes", Permission.QUOTE_VIEW),
    NavItem("Orders", "quotes.orders", Permission.ORDER_VIEW),
    NavItem("Warranty", "warranty.sources", Permission.SOURCE_VIEW),
    NavItem("Support", "support.calls", Permission.SUPPORT_VIEW),
    NavItem("Credit", "ledger.credit", Permission.CREDIT_VIEW),
    NavItem("Prices", "quotes.price_lists", Permission.PRICE_LIST_VIEW),
    NavItem("Companies", "referral.companies", Permission.COMPANY_VIEW),
    NavItem("People", "referral.people", Permission.USER_MANAGE),
    NavItem("Settings", "referral.settings", Permission.SETTING_VIEW),
    NavItem("Audit", "referral.audit", Permission.AUDIT_VIEW),
)


class CannotStart(SystemExit):
    """The application refuses to start, with the reason."""


def create_app(settings: Mapping[str, object] | None = None) -> Flask:
    """Return the application. `settings` override what the environment says.

    Environment: LEDGER_DATABASE_URL (default: SQLite in instance/), LEDGER_SECRET_KEY (needed, 32
    characters or more), LEDGER_SIGNING_KEY (a PEM file, made where missing; default in instance/), LEDGER_DEMO=1, LEDGER_TRUSTED_HOSTS (comma separated), LEDGER_PROXIES (number of
    trusted proxies), LEDGER_SMTP_URL, LEDGER_MAIL_FROM and LEDGER_BASE_URL (of the worker). Raises CannotStart without a secret key or trusted hosts, or where the database holds the demo's data
    and this is no demo, or the other way round.
    """
    app = Flask(__name__, template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.config.from_mapping(_from_environment())
    app.config.from_mapping(settings or {})
    _guard_start(app)
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"))
    prepare_sign_in(app)
    prepare_app(app, load_viewer=load_viewer, foreign_permissions=FOREIGN_PERMISSIONS, navigation=NAVIGATION)
    for blueprint in (referral_pages, ledger_pages, quote_pages, warranty_pages, support_pages):
        app.register_blueprint(blueprint)
    prepare_api(app, (referral.api.blueprint, ledger.api.blueprint, quotes_api, warranty_api, support_api))
    for group in (
        referral.cli.admins.admin_cli,
        ledger.cli.group.ledger_cli,
        quotes.cli.prices_cli,
        warranty.cli.warranty_cli,
        support.cli.support_cli,
        demo_cli,
    ):
        app.cli.add_command(group)
    app.cli.add_command(referral.cli.admins.permissions_command)
    app.cli.add_command(referral.cli.worker.worker_command)
    app.extensions["year_sheets"] = (credit_sheets, order_sheets)
    app.extensions["open_items"] = (ledger_open_items, quote_open_items)
    app.extensions["lists"] = {
        "quotes.quotes": FilterQuotesForm,
        "quotes.orders": FilterOrdersForm,
        "referral.referrals": FilterReferralsForm,
        "support.agreements": FilterAgreementsForm,
        "support.calls": FilterCallsForm,
        "support.visits": FilterVisitsForm,
        "warranty.claims": FilterClaimsForm,
        "warranty.expiring": FilterExpiringForm,
        "warranty.sources": FilterSourcesForm,
    }
    app.extensions["searchers"] = (
        Searcher(page_of_number, search),
        Searcher(page_of_warranty_number, search_warranty),
        Searcher(page_of_support_number, search_support),
    )
    set_followers(follow_order)
    set_plan_reader(plans_known)
    app.extensions["calendar_times"] = (visit_times,)
    app.extensions["home_panels"] = (
        claim_panels,
        agreement_panels,
        call_panels,
    )
    app.extensions["jobs"] = (
        Job("reminders", reminders_due, remind_of_expiry, rests=timedelta(minutes=10)),
        Job("recalls", dealers_to_tell, tell_of_recalls),
        Job("digests", digests_due, owe_digest, key="user_id"),
        Job("warranty terms", terms_due, read_terms),
        Job("service calls", due_calls, tell_of_due_calls),
        Job("installed sources", orders_due, follow_orders, rests=timedelta(hours=1)),
    )
    app.extensions["credit_outlook"] = credit_outlook
    app.extensions["entry_sources"] = (explain_entry,)
    app.extensions["ledger_checks"] = (
        ledger_faults,
        transfer_faults,
        closing_faults,
        checkpoint_faults,
        dispute_faults,
        quote_faults,
        evidence_faults,
        trail_faults,
        design_file_faults,
        claim_faults,
        warranty_faults,
        call_faults,
        visit_faults,
        catalogue_faults,
        agreement_faults,
        quota_faults,
    )
    with app.app_context():
        prepare_engine(db.engine)
        _guard_demo(app)
    return app


def _from_environment() -> dict[str, object]:
    demo = os.environ.get("LEDGER_DEMO", "") == "1"
    instance = ROOT / "instance"
    default_url = f"sqlite:///{instance / ('demo.sqlite' if demo else 'ledger.sqlite')}"
    url = os.environ.get("LEDGER_DATABASE_URL", default_url)
    hosts = os.environ.get("LEDGER_TRUSTED_HOSTS", "127.0.0.1,localhost,[::1]" if demo else "")
    settings: dict[str, object] = {
        "SQLALCHEMY_DATABASE_URI": url,
        "SECRET_KEY": os.environ.get("LEDGER_SECRET_KEY"),
        "SIGNING_KEY": os.environ.get(
            "LEDGER_SIGNING_KEY", str(instance / ("demo.signing.pem" if demo else "signing.pem"))
        ),
        "DEMO": demo,
        "PROXIES": int(os.environ.get("LEDGER_PROXIES", "0")),
        "SMTP_URL": os.environ.get("LEDGER_SMTP_URL", ""),
        "MAIL_FROM": os.environ.get("LEDGER_MAIL_FROM", ""),
        "BASE_URL": os.environ.get("LEDGER_BASE_URL", ""),
        "TRUSTED_HOSTS": [host.strip() for host in hosts.split(",") if host.strip()] or None,
        "MAX_CONTENT_LENGTH": 21 * 1024 * 1024,
        "MAX_FORM_MEMORY_SIZE": 4 * 1024 * 1024,
        "MAX_FORM_PARTS": 12_000,
        "SESSION_COOKIE_NAME": "ledger_demo" if demo else "__Host-ledger",
        "SESSION_COOKIE_SECURE": not demo,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),
        "WTF_CSRF_TIME_LIMIT": 12 * 3600,
    }
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return settings


def _guard_start(app: Flask) -> None:
    if app.config["DEMO"] and not app.config["SECRET_KEY"]:
        app.config["SECRET_KEY"] = _demo_secret()
    secret = app.config["SECRET_KEY"]
    if not secret or len(str(secret)) < SHORTEST_SECRET:
        raise CannotStart(
            f"Set LEDGER_SECRET_KEY to a secret of {SHORTEST_SECRET} characters or more "
            "(python -c 'import secrets; print(secrets.token_hex(32))'), or LEDGER_DEMO=1 for the demo."
        )
    if not app.config["TRUSTED_HOSTS"] and not app.config["DEMO"] and not app.config["TESTING"]:
        raise CannotStart(
            "Set LEDGER_TRUSTED_HOSTS to the host names people use (comma separated): links in mails are built "
            "from them."
        )
    try:
        prepare_mail(app)
    except BadMailSetting as error:
        raise CannotStart(str(error)) from error
    if app.config["PROXIES"]:
        count = int(app.config["PROXIES"])
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign] # the documented way
    if app.config.get("SESSION_COOKIE_SECURE") is False and str(app.config["SESSION_COOKIE_NAME"]).startswith(
        "__Host-"
    ):
        app.config["SESSION_COOKIE_NAME"] = "ledger"


def _demo_secret() -> str:
    """Return the demo's own secret, made once beside its database."""
    place = ROOT / "instance" / "demo.secret"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(secrets.token_hex(32))
    return place.read_text()


def _guard_demo(app: Flask) -> None:
    """A demo's data is never served as the real thing, and the demo never touches real data."""
    if app.config.get("TESTING") or not inspect(db.engine).has_table("setting"):
        return
    if app.config["DEMO"] and read(has_companies) and not read(is_demo):
        raise CannotStart(
            "This database holds real data, and the demo shows every mail. Start without LEDGER_DEMO, or use another."
        )
    if not app.config["DEMO"] and read(is_demo):
        raise CannotStart(
            "This database holds the demo's invented data. Start with LEDGER_DEMO=1, or use another."
        )
