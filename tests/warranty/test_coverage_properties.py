"""Coverage for any source: answers stand, order holds, and a twin that walks over days says the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warranty.rule_facts import BARN, HOME, SHIPPED_ON, Kind, event, facts, plan, shipped, term
from warranty.rules.answers import answer, answer_json, holds, read_answer
from warranty.rules.bars import SCALE, bar_of
from warranty.rules.coverage import decide, term_for, warranty_of
from warranty.rules.standing import known_at, site_on, stand
from warranty.states import StartRule, Verdict

AS_OF = datetime(2030, 1, 1, tzinfo=UTC)
DAYS = st.integers(0, 6_000).map(lambda count: SHIPPED_ON + timedelta(days=count))
BEFORE = st.integers(0, 1_300).map(lambda count: datetime(2026, 5, 5, tzinfo=UTC) + timedelta(days=count))
AFTER = st.integers(1, 10**9).map(lambda count: AS_OF + timedelta(microseconds=count))
HAPPENINGS = st.tuples(
    st.sampled_from([kind for kind in Kind if kind is not Kind.REPLACES]),
    DAYS,
    st.integers(1, 9),
)
TERMS = st.builds(
    lambda rule, cap, **said: term(
        start_rule=rule, cap_days=None if rule is StartRule.SHIPPED else cap, **said
    ),
    st.sampled_from(StartRule),
    st.none() | st.integers(0, 200),
    months=st.integers(1, 90),
    report_days=st.integers(0, 60),
    replacement_days=st.integers(0, 400),
    covers_labor=st.booleans(),
    set_at=BEFORE,
)
PLANS = st.lists(
    st.builds(
        lambda start, length, sites, **said: plan(
            starts_on=start, ends_on=start + timedelta(days=length), site_ids=frozenset(sites), **said
        ),
        DAYS,
        st.integers(0, 3000),
        st.sets(st.sampled_from([HOME, BARN])),
        covers_parts=st.booleans(),
        covers_labor=st.booleans(),
    ),
    max_size=3,
)


def happen(events, happening, recorded_at):
    """Append what happened, with what its kind needs."""
    kind, day, choice = happening
    number = len(events) + 1
    said = {"recorded_at": recorded_at}
    if kind is Kind.CORRECTED:
        said["voids"] = min(choice, number - 1)
    elif kind is Kind.MOVED:
        said |= {"site_id": BARN if choice % 2 else HOME, "room": f"Room {choice}"}
    elif kind is Kind.IDENTIFIED:
        said["serial"] = f"S{choice}"
    elif kind is Kind.SPLIT:
        said["quantity"] = 1
    return [*events, event(number, kind, day, **said)]


@st.composite
def histories(draw):
    """A history up to AS_OF, and the same with more recorded afterwards."""
    known = shipped(quantity=50)
    for recorded_at in sorted(draw(st.lists(BEFORE, max_size=6))):
        known = happen(known, draw(HAPPENINGS), recorded_at)
    more = known
    for recorded_at in sorted(draw(st.lists(AFTER, min_size=1, max_size=8))):
        more = happen(more, draw(HAPPENINGS), recorded_at)
    return known, more


@given(histories(), TERMS, st.lists(st.tuples(TERMS, AFTER), max_size=3), PLANS, st.none() | DAYS, DAYS)
def test_an_answer_about_a_past_instant_never_changes_by_what_is_recorded_later(
    history, first, later_terms, plans, failed_on, reported_on
):
    known, more = history
    terms = [first, *(replace(each, set_at=at) for each, at in later_terms)]
    day = failed_on or reported_on

    def ask(events, its_terms):
        there = known_at(events, AS_OF)
        source = facts(list(there), term=term_for(its_terms, date(2026, 5, 1), AS_OF))
        return answer(
            source,
            as_of=AS_OF,
            failed_on=failed_on,
            reported_on=reported_on,
            site_id=site_on(there, day)[0],
            plans=plans,
        )

    then, now = ask(known, [first]), ask(more, terms)
    assert then == now
    assert holds(now)
    assert read_answer(answer_json(now)) == now


def add_months(start, months):
    """The month rule in another way: by the first of the month after, and what is left of it."""
    first = start.replace(day=1)
    for _ in range(months):
        first = (first + timedelta(days=32)).replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return min(first + timedelta(days=start.day - 2), following - timedelta(days=1))


def twin(source, failed_on, reported_on, site_id, plans):
    """The verdict by asking, for each rule, whether one can say yes, no or nothing."""
    day = failed_on or reported_on
    state, its = source.standing, source.term
    if state.voided_on or (state.gone_on and state.gone_on <= day):
        return Verdict.NOT_COVERED
    end = None
    could_be_earlier = False
    if its is not None and state.shipped_on is not None:
        own = {
            StartRule.SHIPPED: state.shipped_on,
            StartRule.DELIVERED: state.delivered_on,
            StartRule.COMMISSIONED: state.commissioned_on,
        }[its.start_rule]
        latest = None if its.cap_days is None else state.shipped_on + timedelta(days=its.cap_days)
        could_be_earlier = own is None and latest is not None
        candidates = [each for each in (own, latest) if each is not None]
        if candidates:
            start = min(candidates)
            end = add_months(start, its.months)
    elif its is not None and its.cap_days is None and its.start_rule is not StartRule.SHIPPED:
        start = state.delivered_on if its.start_rule is StartRule.DELIVERED else state.commissioned_on
        end = start and add_months(start, its.months)
    if end is None:
        said = Verdict.UNDETERMINED
    elif start <= day <= end:
        in_time = reported_on <= end + timedelta(days=its.report_days)
        said = Verdict.COVERED if in_time else Verdict.NOT_COVERED
    elif could_be_earlier and state.shipped_on <= day < start:
        said = Verdict.UNDETERMINED
    else:
        said = Verdict.NOT_COVERED
    limit = None if end is None else add_months(end + timedelta(days=1), 120)
    by_plan = any(
        each.starts_on <= day <= each.ends_on
        and site_id in each.site_ids
        and (each.covers_parts or each.covers_labor)
        and (limit is None or day <= limit)
        for each in plans
    )
    return Verdict.COVERED if by_plan else said


@settings(max_examples=600)
@given(histories(), st.none() | TERMS, PLANS, st.none() | DAYS, st.integers(0, 400))
def test_a_twin_that_was_written_otherwise_answers_the_same(history, its_term, plans, failed_on, wait):
    events = history[1]
    source = facts(events, term=its_term)
    reported_on = (failed_on or date(2028, 1, 1)) + timedelta(days=wait)
    site_id = site_on(events, failed_on or reported_on)[0]
    said = decide(source, failed_on=failed_on, reported_on=reported_on, site_id=site_id, plans=plans)
    assert said.verdict is twin(source, failed_on, reported_on, site_id, plans)
    assert bool(said.covers) is (said.verdict is Verdict.COVERED)
    assert said.reasons
    if said.verdict is Verdict.UNDETERMINED:
        assert said.lacking is not None
    for cover in said.covers:
        assert cover.starts_on <= said.decides_on <= cover.ends_on


@given(histories(), TERMS, DAYS, st.integers(0, 200), st.integers(0, 200))
def test_reporting_earlier_is_never_worse(history, its_term, failed_on, wait, less):
    source = facts(history[0], term=its_term)
    late = failed_on + timedelta(days=wait)
    early = max(failed_on, late - timedelta(days=less))
    if decide(source, failed_on=failed_on, reported_on=late).verdict is Verdict.COVERED:
        assert decide(source, failed_on=failed_on, reported_on=early).verdict is Verdict.COVERED


@given(TERMS, st.integers(1, 60), DAYS)
def test_more_months_never_cover_less(its_term, more, failed_on):
    shorter, longer = facts(term=its_term), facts(term=replace(its_term, months=its_term.months + more))
    if decide(shorter, failed_on=failed_on, reported_on=failed_on).verdict is Verdict.COVERED:
        assert decide(longer, failed_on=failed_on, reported_on=failed_on).verdict is Verdict.COVERED


@given(histories(), st.none() | TERMS, DAYS, PLANS)
def test_a_plan_more_never_covers_less(history, its_term, failed_on, plans):
    source = facts(history[0], term=its_term)
    ask = {"failed_on": failed_on, "reported_on": failed_on, "site_id": HOME}
    if decide(source, **ask, plans=plans[1:]).verdict is Verdict.COVERED:
        assert decide(source, **ask, plans=plans).verdict is Verdict.COVERED


@given(TERMS, st.lists(st.integers(1, 900), min_size=1, max_size=5))
def test_a_chain_of_replacements_never_loses_days_and_keeps_the_first_ones_ten_years(its_term, gaps):
    last = facts(term=its_term)
    first_end, limit = warranty_of(last).ends_on, warranty_of(last).limit_on
    day = SHIPPED_ON
    for place, gap in enumerate(gaps, 2):
        day += timedelta(days=gap)
        events = shipped(day, event(3, Kind.REPLACES, day, other_id=UUID(int=place)))
        following = facts(events, ref=f"U-{place}", term=its_term, is_replacement=True, original=last)
        period = warranty_of(following)
        assert period.limit_on == limit
        if first_end is not None:
            least = its_term.replacement_days
            minimum = day + timedelta(days=least - 1) if least else date.min
            assert period.ends_on == max(warranty_of(last).ends_on, minimum)
        last = following


@given(histories(), st.none() | TERMS, DAYS, DAYS)
def test_everything_on_the_bar_lies_on_it_in_order_of_days(history, its_term, today, asked):
    bar = bar_of(facts(history[1], term=its_term), today=today, asked_on=asked)
    for span in bar.spans:
        assert bar.starts_on <= span.starts_on <= span.ends_on <= bar.ends_on
        assert 0 <= span.x <= span.x + span.width <= SCALE + 4
    ends = [span.ends_on for span in bar.spans]
    assert ends == sorted(ends)
    assert all(0 <= mark.x < SCALE for mark in bar.marks)
    assert stand(history[1]).quantity <= 50
