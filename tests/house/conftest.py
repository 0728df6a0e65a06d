"""Fixtures of the structure tests."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.operations.entries import record_other_purchase
from ledger.operations.levels import set_levels
from ledger.rules import LevelStep
from quotes.operations.cancellations import cancel_order
from quotes.operations.decisions import request_changes
from referral.db import db
from referral.operations.settings import change_setting
from tests.factories import AT, make_world
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
    order, ref = world.order()
    cancel_order(
        tx, actor=world.account, at=AT, ref=ref, quantities=None, reason="Not wanted", idempotency_key="c"
    )
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
    tx.commit()
    return order
