"""Days, periods, projects, settings, public numbers: the pure rules of the ground floor."""

import contextlib
import uuid
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.clock import business_day, start_of_day
from referral.db import Instant
from referral.errors import REFUSALS, Refusal
from referral.ids import PublicNumber, new_id, parse_public_number
from referral.permissions import GRID, CompanyKind, Permission, Role, Viewer
from referral.rules import SETTINGS, is_valid_on, parse_setting, periods_overlap, project_key

NEW_YORK = "America/New_York"
DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 31))
ANY_TEXT = st.text(st.characters(codec=None), max_size=40)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 1, 1, 4, 59, 59, tzinfo=UTC), date(2025, 12, 31)),
        (datetime(2026, 1, 1, 5, 0, 0, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2026, 7, 1, 3, 59, 59, tzinfo=UTC), date(2026, 6, 30)),
        (datetime(2026, 7, 1, 4, 0, 0, tzinfo=UTC), date(2026, 7, 1)),
        (datetime(2026, 1, 1, 13, 59, tzinfo=timezone(timedelta(hours=9))), date(2025, 12, 31)),
    ],
)
def test_0459_utc_on_1_january_is_still_last_year(at, day):
    assert business_day(at, NEW_YORK) == day


@given(st.dates(date(1970, 1, 2), date(2100, 1, 1)))
def test_a_day_begins_with_its_first_instant(day):
    first = start_of_day(day, NEW_YORK)
    assert business_day(first, NEW_YORK) == day
    assert business_day(first - timedelta(microseconds=1), NEW_YORK) == day - timedelta(days=1)


def test_an_instant_without_a_time_zone_is_refused_by_the_column():
    with pytest.raises(ValueError, match="time zone"):
        Instant().process_bind_param(datetime(2026, 1, 1), None)  # noqa: DTZ001 - the naive one is the point


@given(DAYS, DAYS, st.none() | DAYS)
def test_first_and_last_day_of_a_period_are_included(day, valid_from, valid_to):
    assert is_valid_on(day, valid_from, valid_to) is (valid_from <= day <= (valid_to or date.max))


@given(DAYS, st.none() | DAYS, DAYS, st.none() | DAYS)
def test_two_periods_overlap_where_they_share_a_day(from_a, to_a, from_b, to_b):
    to_a, to_b = (to and max(start, to) for start, to in ((from_a, to_a), (from_b, to_b)))
    month = [date(2026, 1, 1) + timedelta(days=number) for number in range(32)]
    shared = any(is_valid_on(day, from_a, to_a) and is_valid_on(day, from_b, to_b) for day in month)
    assert periods_overlap(from_a, to_a, from_b, to_b) is shared
    assert periods_overlap(from_b, to_b, from_a, to_a) is shared


def test_two_projects_are_the_same_by_name_and_place_as_people_read_them():
    assert project_key(" Boat  House", "CAMDEN, me") == project_key("boat house", "Camden, ME ")
    assert project_key("Boat House", "Camden") != project_key("Boat", "House Camden")


@given(st.sampled_from(sorted(SETTINGS)), ANY_TEXT)
def test_no_text_makes_a_setting_crash(key, text):
    with contextlib.suppress(Refusal):
        assert parse_setting(key, text) is not None


@pytest.mark.parametrize("rule", SETTINGS.values(), ids=lambda rule: rule.key)
def test_a_shipped_setting_passes_its_own_check(rule):
    assert parse_setting(rule.key, rule.shipped) is not None


@given(
    st.sampled_from("RQO"),
    st.text("ABCXYZ0189", min_size=3, max_size=8),
    st.integers(1, 999_999_999),
)
def test_a_public_number_that_is_written_and_read_is_the_same(kind, code, number):
    public = PublicNumber(kind, code, number)
    assert parse_public_number(str(public), kind) == public
    assert parse_public_number(f" {public}", kind) is None
    assert parse_public_number(str(public), "RQO".replace(kind, "")[0]) is None


@given(ANY_TEXT)
def test_no_text_makes_a_public_number_crash(text):
    parse_public_number(text, "Q")


@pytest.mark.parametrize(
    "text", ["Q-AB-1", "Q-ABC-0", "Q-ABC-01", "Q-ABC--1", "Q-ABC-1.5", "Q-ABC-1\n2", "ABC-1"]
)
def test_what_only_looks_like_a_public_number_is_none(text):
    assert parse_public_number(text, "Q") is None


def test_ids_are_version_7_and_all_different():
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {(made.version, made.variant) for made in ids} == {(7, uuid.RFC_4122)}


def test_a_refusal_says_its_codes_sentence_and_an_unknown_code_is_a_mistake():
    assert Refusal("not_found").message == REFUSALS["not_found"]
    assert Refusal("not_found", "Gone.").message == "Gone."
    with pytest.raises(KeyError):
        Refusal("no_such_code")


@pytest.mark.parametrize("role", Role)
def test_a_viewer_may_what_the_grid_says_for_any_of_the_roles(role):
    viewer = Viewer(uuid.uuid4(), "N", "n@n", uuid.uuid4(), "NNN", "N", frozenset({role}))
    assert viewer.permissions == GRID[role] | {Permission.PUBLIC, Permission.SIGNED_IN}
    assert [kind for kind in CompanyKind if viewer.acts_as(kind)] == [role.company_kind]


def test_no_role_lets_one_person_build_and_decide_and_no_dealer_orders():
    for role, permissions in GRID.items():
        assert not {Permission.QUOTE_BUILD, Permission.QUOTE_DECIDE} <= permissions
        if role.company_kind is CompanyKind.DEALER:
            assert Permission.ORDER_ENTER not in permissions
        if role.company_kind is CompanyKind.ACCOUNT:
            assert Permission.CREDIT_VIEW not in permissions
