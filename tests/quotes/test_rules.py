"""Digests, totals, expiry, line diff: the pure rules of quotes."""

import dataclasses
import uuid
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.credit import LevelStep, line_credit_cents, reversal_cents, standing
from quotes.rules.content import (
    ContentHead,
    ContentLine,
    ContentService,
    canonical_json,
    content_digests,
    is_expired,
    last_valid_day,
    request_digest,
    shown_state,
    totals,
)
from quotes.rules.diff import Change, diff_lines
from quotes.states import Category, RevisionState, ServiceKind

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CENTS = st.integers(0, 10**10)
LINES = st.lists(
    st.builds(
        ContentLine,
        line_id=st.uuids(version=4),
        model_number=TEXTS,
        description=TEXTS,
        family=TEXTS,
        category=st.sampled_from(Category),
        unit=TEXTS,
        room=TEXTS,
        quantity=st.integers(1, 1000),
        list_price_cents=CENTS,
    ),
    max_size=5,
    unique_by=lambda line: line.line_id,
)
SERVICES = st.lists(st.builds(ContentService, st.sampled_from(ServiceKind), TEXTS, CENTS), max_size=3)
HEADS = st.builds(
    ContentHead,
    dealer=TEXTS,
    account=TEXTS,
    referral=TEXTS,
    quote=TEXTS,
    revision=st.integers(1, 99),
    account_number=TEXTS,
    price_list=TEXTS,
    currency=TEXTS,
    note=TEXTS,
)
DAY = date(2026, 5, 4)


def digests(head, lines, services, has_services=True):
    return content_digests(head, lines, services, has_services=has_services)


def other(value):
    """Return another value of the same type."""
    if isinstance(value, Category):
        return Category.CONTROL if value is Category.OTHER else Category.OTHER
    if isinstance(value, ServiceKind):
        return ServiceKind.DESIGN if value is ServiceKind.OTHER else ServiceKind.OTHER
    if isinstance(value, uuid.UUID):
        return uuid.UUID(int=value.int ^ 1)
    return f"{value}x" if isinstance(value, str) else value + 1


@given(HEADS, LINES, SERVICES, st.booleans())
def test_the_same_content_has_the_same_digests(head, lines, services, has_services):
    copy = [dataclasses.replace(line) for line in lines]
    first = digests(head, lines, services, has_services)
    assert digests(dataclasses.replace(head), tuple(copy), tuple(services), has_services) == first
    assert {len(text) for text in dataclasses.astuple(first)} == {64}


@given(HEADS, LINES, SERVICES)
def test_any_change_of_the_head_changes_the_digest(head, lines, services):
    before = digests(head, lines, services)
    for field in dataclasses.fields(head):
        changed = dataclasses.replace(head, **{field.name: other(getattr(head, field.name))})
        after = digests(changed, lines, services)
        assert after.products != before.products
        assert after.both != before.both


@given(HEADS, LINES.filter(bool), SERVICES, st.data())
def test_any_change_of_a_line_changes_the_digest(head, lines, services, data):
    before = digests(head, lines, services)
    place = data.draw(st.integers(0, len(lines) - 1))
    for field in dataclasses.fields(ContentLine):
        changed = list(lines)
        value = other(getattr(lines[place], field.name))
        changed[place] = dataclasses.replace(lines[place], **{field.name: value})
        after = digests(head, changed, services)
        assert (after.products, after.both) != (before.products, before.both)
        assert after.both != before.both
        assert after.services == before.services
    without = digests(head, lines[:place] + lines[place + 1 :], services)
    assert without.both != before.both


@given(HEADS, LINES.filter(lambda lines: len(lines) > 1), SERVICES)
def test_another_order_of_lines_is_another_digest(head, lines, services):
    assert digests(head, lines[::-1], services).products != digests(head, lines, services).products


@given(HEADS, LINES, SERVICES, SERVICES, st.booleans())
def test_services_do_not_touch_the_product_digest(head, lines, services, others, has_services):
    before, after = digests(head, lines, services), digests(head, lines, others, has_services)
    assert after.products == before.products
    is_same = services == others and has_services
    assert (after.services == before.services) is is_same
    assert (after.both == before.both) is is_same


@given(HEADS, LINES, SERVICES.filter(bool))
def test_any_change_of_a_service_changes_the_digest_of_services_and_of_both(head, lines, services):
    before = digests(head, lines, services)
    for field in dataclasses.fields(ContentService):
        value = other(getattr(services[0], field.name))
        changed = [dataclasses.replace(services[0], **{field.name: value}), *services[1:]]
        after = digests(head, lines, changed)
        assert after.products == before.products
        assert after.services != before.services
        assert after.both != before.both


def test_a_text_cannot_pass_for_two():
    assert canonical_json(["ab", "c"]) != canonical_json(["a", "bc"])
    assert canonical_json({"a": '","b":"'}) != canonical_json({"a": "", "b": ""})


def test_a_request_is_the_same_in_any_order_of_its_parts():
    assert request_digest({"a": 1, "b": {"x": 1, "y": 2}}) == request_digest({"b": {"y": 2, "x": 1}, "a": 1})
    assert request_digest({"a": 1}) != request_digest({"a": "1"})


# totals -----------------------------------------------------------------------------------------


@given(LINES, SERVICES, st.frozensets(st.sampled_from([category.value for category in Category])))
def test_products_are_what_is_creditable_and_what_is_not_and_services_stand_apart(
    lines, services, creditable
):
    sums = totals(lines, services, creditable)
    assert sums.products_cents == sums.creditable_cents + sums.not_creditable_cents
    assert sums.creditable_cents == sum(
        line.quantity * line.list_price_cents for line in lines if line.category in creditable
    )
    assert sums.services_cents == sum(service.amount_cents for service in services)
    assert sums.all_cents == sums.products_cents + sums.services_cents


# expiry -----------------------------------------------------------------------------------------


def test_a_revision_is_valid_through_its_30th_day():
    last = last_valid_day(DAY, 30)
    assert last == date(2026, 6, 3)
    assert not is_expired(last, last)
    assert is_expired(last, last + timedelta(days=1))
    assert not is_expired(None, date.max)


@pytest.mark.parametrize("state", RevisionState)
def test_only_a_waiting_or_approved_revision_is_shown_as_expired(state):
    may_expire = state in {RevisionState.SUBMITTED, RevisionState.APPROVED}
    assert shown_state(state, DAY, DAY) == state.value
    assert shown_state(state, DAY, DAY + timedelta(days=1)) == ("expired" if may_expire else state.value)


# diff -------------------------------------------------------------------------------------------


@given(LINES)
def test_a_revision_does_not_differ_from_itself(lines):
    assert [change.change for change in diff_lines(lines, lines)] == [Change.SAME] * len(lines)


@given(LINES, LINES, st.data())
def test_a_diff_accounts_for_every_line_of_both_sides_once(before, added, data):
    kept = data.draw(st.lists(st.sampled_from(before), unique_by=id)) if before else []
    after = [*kept, *added]
    changes = diff_lines(before, after)
    assert [change.after for change in changes if change.after is not None] == after
    assert {change.before.line_id for change in changes if change.before is not None} == {
        line.line_id for line in before
    }
    removed = [change.before for change in changes if change.change is Change.REMOVED]
    assert removed == [line for line in before if line not in kept]
    assert sum(change.change is Change.ADDED for change in changes) == len(added)


@given(LINES.filter(bool))
def test_a_diff_names_the_fields_that_changed(lines):
    for name in ("model_number", "description", "room", "quantity", "list_price_cents"):
        changed = dataclasses.replace(lines[0], **{name: other(getattr(lines[0], name))})
        first = diff_lines(lines, [changed, *lines[1:]])[0]
        expected = Change.MOVED if name == "room" else Change.CHANGED
        assert (first.change, first.fields) == (expected, (name,))


# credit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "quantity", "rate", "cents"),
    [
        (41250, 10, 10_000, 412_500),
        (1, 1, 5_000, 1),
        (1, 1, 4_999, 0),
        (3333, 10, 3_333, 11_109),
        (3333, 7, 3_333, 7_776),
        (9999, 3, 0, 0),
        (0, 5, 10_000, 0),
    ],
)
def test_line_credit_is_list_price_times_quantity_times_rate_rounded_half_up_once(
    price, quantity, rate, cents
):
    assert line_credit_cents(price, quantity, rate) == cents


@given(CENTS, st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, 20_000))
def test_partial_reversals_end_at_exactly_zero_whatever_price_parts_and_rate(price, parts, rate):
    left = sum(parts)
    posted = line_credit_cents(price, left, rate)
    for part in parts:
        left -= part
        taken = reversal_cents(price, left, rate, posted)
        assert taken >= 0
        posted -= taken
        assert posted == line_credit_cents(price, left, rate)
    assert posted == 0


@given(st.integers(-(10**9), 10**9))
def test_the_level_is_the_highest_reached_and_never_under_the_base(total):
    levels = [LevelStep("Bronze", 0), LevelStep("Silver", 2_500_000), LevelStep("Gold", 7_000_000)]
    where = standing(total, levels)
    names = [level.name for level in levels if level.threshold_cents <= total] or ["Bronze"]
    assert where.level.name == names[-1]
    if where.next_level is None:
        assert where.missing_cents == 0
    else:
        assert total + where.missing_cents == where.next_level.threshold_cents
