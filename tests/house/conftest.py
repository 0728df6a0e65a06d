"""Fixtures of the structure tests."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from ledger.operations.adjustments import record_other_purchase
from ledger.operations.checkpoints import take_checkpoint
from ledger.operations.disputes import open_dispute, withdraw_dispute
from ledger.operations.imports import begin_import
from ledger.operations.levels import set_levels
from ledger.operations.years import close_dealer_year, start_closing
from ledger.rules.credit import LevelStep
from ledger.states import AccountKind, EntryKind
from quotes.operations.cancellations import cancel_order
from quotes.operations.decisions import request_changes
from quotes.operations.projects import set_milestone
from quotes.operations.recalls import recall_prices, tell_of_recalls
from quotes.operations.reminders import remind_of_expiry
from quotes.operations.replacements import order_replacement
from quotes.queries.order_page import order_page
from quotes.states import MilestoneKind
from referral.db import db
from referral.models import Company
from referral.operations.assignments import continue_referral
from referral.operations.delegations import lend_decision
from referral.operations.settings import change_setting
from referral.permissions import Role
from referral.signing import load_signer
from support.operations.calls_telling import tell_of_due_calls
from support.operations.requirements import mark_requirement
from support.operations.systems import record_system
from support.operations.top_ups import top_up_agreement
from support.queries.agreement_sites import sites_of_agreements
from support.states import Platform
from tests.applications import SETTINGS
from tests.factories import (
    AT,
    make_agreement,
    make_call,
    make_catalogue,
    make_rate,
    make_use,
    make_user,
    make_visit,
    make_world,
)
from tests.warranty.test_terms import TERMS
from warranty.operations.claims import open_claim
from warranty.operations.terms import set_term
from wsgi import create_app


@pytest.fixture(scope="session")
def plain_app(tmp_path_factory):
    """The application on a migrated database of its own, for what needs no rows."""
    place = tmp_path_factory.mktemp("plain") / "plain.sqlite"
    app = create_app(
        {
            "TESTING": True,
            "SECRET_KEY": "only for tests, and long enough for them",
            "SQLALCHEMY_DATABASE_URI": f"sqlite:///{place}",
            "SESSION_COOKIE_SECURE": False,
        }
    )
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def filled(tx):
    """A row at least in every append-only table."""
    world = make_world(tx)
    colleague = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    lend_decision(
        tx,
        actor=world.dealer,
        at=AT,
        approver_id=world.dealer.user_id,
        delegate_id=colleague.user_id,
        first_on=AT.date(),
        last_on=AT.date(),
    )
    order, ref = world.order()
    cancel_order(
        tx, actor=world.account, at=AT, ref=ref, quantities=None, reason="Not wanted", idempotency_key="c"
    )
    _, shipped = world.order()
    world.ship(shipped)
    failed = order_page(tx, viewer=world.account, ref=shipped).lines[0].line_id
    order_replacement(
        tx, actor=world.account, at=AT, ref=shipped, quantities={failed: 1}, reason="Dark", failed_on=None,
        idempotency_key="w",
    )  # fmt: skip
    set_term(tx, actor=world.program, at=AT, said=TERMS)
    open_claim(
        tx, actor=world.dealer, at=AT, ref=f"U-{world.dealer.company_code}-1", quantity=1, problem="Dark",
        failed_on=None, idempotency_key="claim",
    )  # fmt: skip
    world.take_back(shipped)
    make_rate(tx, world.program)
    make_catalogue(tx, world.program)
    premium = make_agreement(world, offer_key="premium", license_cents=20_000_000)
    ref = f"A-{world.dealer.company_code}-{premium.number}"
    make_use(world, premium)
    make_visit(world, premium)
    top_up_agreement(
        tx, actor=world.program, at=AT, ref=ref, grant_key="disaster-recovery", contract_year=1, amount=2,
        bought_on=AT.date(), net_cents=100, tax_basis_points=825, words="", idempotency_key="more",
    )  # fmt: skip
    mark_requirement(
        tx, actor=world.dealer, at=AT, ref=ref, requirement_key="server-access", is_met=True, since_on=AT.date(),
        words="",
    )  # fmt: skip
    record_system(
        tx, actor=world.account, at=AT, ref=sites_of_agreements(tx, [premium])[premium.id][0].referral_ref, site_number=1,
        platform=Platform.QUANTUM, since_on=AT.date(), is_there=True, has_remote_access=True, words="",
    )  # fmt: skip
    make_call(world)
    tell_of_due_calls(tx, actor=None, at=AT + timedelta(days=30), dealer_id=world.dealer.company_id)
    waiting = world.submit()
    line_id = world.line_ids(waiting)[0]
    request_changes(
        tx,
        actor=world.dealer,
        at=AT,
        ref=waiting,
        revision_number=1,
        digest=world.digest(waiting),
        reason="More",
        remarks={line_id: "Twelve, please"},
    )
    set_milestone(
        tx, actor=world.account, at=AT, ref=world.refer(), kind=MilestoneKind.INSTALL, number=0,
        planned_on=AT.date(), forecast_on=None, actual_on=None, owner="", slip_reason="",
    )  # fmt: skip
    change_setting(
        tx,
        actor=world.program,
        at=AT,
        key="quote_valid_days",
        value="45",
        valid_from=date(2026, 1, 1),
        valid_to=None,
        reason="Longer",
        source="Test",
    )
    set_levels(
        tx,
        actor=world.program,
        at=AT,
        level_year=2027,
        levels=[LevelStep("Base", 0)],
        reason="First",
        source="",
    )
    record_other_purchase(
        tx,
        actor=world.program,
        at=AT,
        dealer_code=world.dealer.company_code,
        purchased_on=date(2026, 2, 1),
        amount_cents=100,
        document="INV-1",
        reason="Invoice",
        idempotency_key="o",
    )
    set_levels(
        tx,
        actor=world.program,
        at=AT,
        level_year=2026,
        levels=[LevelStep("Base", 0)],
        reason="First",
        source="",
    )
    of_2025 = {"actor": world.program, "at": AT, "program_year": 2025}
    start_closing(tx, reason="", open_items=(), **of_2025)
    close_dealer_year(tx, dealer_id=world.dealer.company_id, **of_2025)
    open_dispute(
        tx,
        actor=world.dealer,
        at=AT,
        dealer_code=world.dealer.company_code,
        program_year=2026,
        account_kind=AccountKind.SALES_CREDIT,
        sequence=1,
        claimed_cents=None,
        reason="Two are missing",
        idempotency_key="d",
    )
    withdraw_dispute(tx, actor=world.dealer, at=AT, ref=f"D-{world.dealer.company_code}-1", words="")
    begin_import(
        tx,
        actor=world.program,
        at=AT,
        kind=EntryKind.OTHER_PURCHASE,
        filename="list.csv",
        sha256="0" * 64,
        row_count=1,
        reason="Distributor's list",
    )
    continue_referral(
        tx,
        actor=world.program,
        at=AT,
        ref=f"R-{world.dealer.company_code}-1",
        last_on=date(2026, 6, 1),
        reason="Half of it is installed",
    )
    remind_of_expiry(tx, actor=None, at=AT + timedelta(days=28), dealer_id=world.dealer.company_id)
    take_checkpoint(tx, actor=world.program, at=AT, signer=load_signer(Path(str(SETTINGS["SIGNING_KEY"]))))
    world.submit()
    recall_prices(tx, actor=world.program, at=AT, version=1, model_numbers=["PROC-1"], reason="Typed wrong")
    tx.flush()
    tell_of_recalls(tx, actor=world.program, at=AT, dealer_id=world.dealer.company_id)
    tx.commit()
    return order
