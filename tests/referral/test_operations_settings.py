"""Settings: dated rows with who, why and source; nothing is overwritten."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from referral.models import AuditEvent, Setting
from referral.operations.settings import change_setting
from referral.permissions import Role
from referral.queries.settings import creditable_categories, setting_on, settings_page
from referral.rules import SETTINGS
from tests.factories import AT, make_company, make_program, make_user, refused

NEXT_YEAR = date(2027, 1, 1)


def change(actor, **overrides):
    """Return what an admin says on changing a setting."""
    said = {
        "actor": actor,
        "at": AT,
        "key": "quote_valid_days",
        "value": "45",
        "valid_from": date(2026, 6, 1),
        "valid_to": None,
        "reason": "Longer summers.",
        "source": "Program letter 12",
    }
    return said | overrides


def test_every_setting_has_a_shipped_value_that_it_can_take(tx):
    for key in SETTINGS:
        assert setting_on(tx, key, date(2026, 5, 4)) is not None
    assert setting_on(tx, "quote_valid_days", date(2026, 5, 4)) == 30
    assert setting_on(tx, "credit_rate", date(2026, 5, 4)) == 10_000
    assert creditable_categories(tx, 2026) == {"light_source", "accessory"}


def test_a_setting_holds_from_its_first_to_its_last_day_both_included(tx):
    program = make_program(tx)
    change_setting(tx, **change(program, valid_to=date(2026, 8, 31)))
    tx.flush()
    held = {day: setting_on(tx, "quote_valid_days", date.fromisoformat(day)) for day in (
        "2026-05-31", "2026-06-01", "2026-08-31", "2026-09-01",
    )}  # fmt: skip
    assert held == {"2026-05-31": 30, "2026-06-01": 45, "2026-08-31": 45, "2026-09-01": 30}


def test_a_later_change_wins_and_the_earlier_one_stays_readable(tx):
    program = make_program(tx)
    change_setting(tx, **change(program))
    change_setting(tx, **change(program, value="60", at=AT + timedelta(hours=1)))
    tx.flush()
    assert setting_on(tx, "quote_valid_days", date(2026, 6, 1)) == 60
    rows = {row.key: row for row in settings_page(tx, at=AT)}
    assert [row.value for row in rows["quote_valid_days"].history] == ["60", "45"]
    assert tx.scalar(sa.select(sa.func.count()).select_from(Setting)) == 2


def test_a_change_keeps_value_days_who_why_and_source(tx):
    program = make_program(tx)
    row = change_setting(tx, **change(program, value=" 45 ", reason=" Longer summers. "))
    tx.flush()
    assert (row.value, row.reason, row.source, row.changed_by, row.changed_at) == (
        "45",
        "Longer summers.",
        "Program letter 12",
        program.user_id,
        AT,
    )
    assert tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "setting.changed")).one()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quote_valid_days", "0"),
        ("quote_valid_days", "-1"),
        ("quote_valid_days", "1.5"),
        ("quote_valid_days", "1e9"),
        ("quote_valid_days", "99999"),
        ("credit_rate", "NaN"),
        ("credit_rate", "-1"),
        ("credit_rate", "1.00001"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", ""),
        ("currency", "usd"),
        ("currency", "€€€"),
        ("same_company_allowed", "yes"),
        ("creditable_categories", "gold"),
        ("creditable_categories", ""),
    ],
)
def test_a_value_the_setting_cannot_take_is_refused(tx, key, value):
    said = change(make_program(tx), key=key, value=value, valid_from=NEXT_YEAR)
    assert refused(tx, "setting_invalid", change_setting, **said).field == "value"


def test_a_setting_that_does_not_exist_is_not_found(tx):
    refused(tx, "not_found", change_setting, **change(make_program(tx), key="demo", value="on"))


def test_a_setting_of_a_program_year_starts_on_1_january(tx):
    program = make_program(tx)
    said = change(program, key="credit_rate", value="0.5000")
    assert refused(tx, "setting_invalid", change_setting, **said).field == "valid_from"
    change_setting(tx, **said | {"valid_from": NEXT_YEAR})
    tx.flush()
    assert [setting_on(tx, "credit_rate", date(year, 12, 31)) for year in (2026, 2027)] == [10_000, 5_000]


def test_a_setting_needs_a_reason_days_in_order_and_an_admin(tx):
    program = make_program(tx)
    refused(tx, "reason_required", change_setting, **change(program, reason=" "))
    wrong = change(program, valid_to=date(2026, 5, 31))
    assert refused(tx, "setting_invalid", change_setting, **wrong).field == "valid_to"
    for role in (Role.PROGRAM_AUDITOR, Role.DEALER_ADMIN):
        actor = make_user(tx, make_company(tx, role.company_kind), role)
        refused(tx, "forbidden", change_setting, **change(actor))
