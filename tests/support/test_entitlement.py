"""What an agreement entitles to: conditions, quotas, the best commitment, the warranty first, and why."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from referral.errors import Refusal
from support.operations.requirements import mark_requirement
from support.operations.uses import record_use
from support.queries.entitlement import entitlement_of
from support.rules.entitlement import CONFIRMED, Mark, is_met
from support.states import GrantKind, Platform
from tests.factories import AT, make_world, refused
from tests.support.using import LATER, Using
from tests.warranty.grounds import make_ground
from tests.warranty.test_claims import add_terms
from warranty.rules.coverage import WARRANTY

Kind = GrantKind


@pytest.fixture
def using(tx):
    return Using.made(tx)


def asking(using, ref, kind, **overrides):
    said = {"viewer": using.world.dealer, "at": LATER, "ref": ref, "kind": kind} | overrides
    return entitlement_of(using.tx, **said).entitlement


def covered(answer):
    return answer.covered, answer.billable, None if answer.by is None else answer.by.grant_key


def test_remote_diagnostics_need_a_connected_system_with_remote_access(using):
    ref = using.agree("gold")
    said = {"grant_key": "remote-diagnostics"}
    answer = asking(using, ref, Kind.REMOTE, **said)
    site = answer.asked.site_name
    assert covered(answer) == (0, 1, None)
    assert answer.reasons[0] == (
        "Remote diagnostics: this needs a connected Quantum, Athena or Vive system with remote access; "
        f"none is recorded at {site} on 3 Jun 2026."
    )
    using.connect(Platform.VIVE, has_remote_access=False)
    assert covered(asking(using, ref, Kind.REMOTE, **said)) == (0, 1, None)
    using.connect(Platform.VIVE)
    assert covered(asking(using, ref, Kind.REMOTE, **said)) == (1, 0, "remote-diagnostics")


def test_a_site_with_ketra_alone_gets_no_remote_diagnostics(using):
    ref = using.agree("platinum")
    using.connect(Platform.KETRA)
    said = {"grant_key": "remote-diagnostics"}
    assert not asking(using, ref, Kind.REMOTE, **said).is_covered
    answer = asking(using, ref, Kind.REMOTE, platform=Platform.KETRA, **said)
    assert answer.reasons[0] == (
        "Remote diagnostics: for Quantum, Athena or Vive systems only, not for Ketra."
    )
    assert covered(asking(using, ref, Kind.REMOTE, amount=60)) == (60, 0, "remote-programming")


def test_remote_access_recorded_later_does_not_change_the_past(using):
    ref = using.agree("gold")
    using.connect(since_on=AT.date() + timedelta(days=10), at=LATER)
    said = {"grant_key": "remote-diagnostics"}
    before, after = LATER - timedelta(hours=1), LATER
    day = LATER.date()
    assert not asking(using, ref, Kind.REMOTE, as_of=before, day=day, **said).is_covered
    assert asking(using, ref, Kind.REMOTE, as_of=after, day=day, **said).is_covered
    assert not asking(using, ref, Kind.REMOTE, day=AT.date() + timedelta(days=9), **said).is_covered
    using.connect(is_there=False, since_on=day, at=LATER + timedelta(hours=1))
    assert asking(
        using, ref, Kind.REMOTE, as_of=after, day=day, at=LATER + timedelta(days=1), **said
    ).is_covered


def test_a_response_takes_the_best_commitment_with_anything_left(using):
    ref = using.agree("custom", choices={"response-24h": 1, "response-72h": 2, "first-available": None})
    answer = asking(using, ref, Kind.RESPONSE)
    assert covered(answer) == (1, 0, "response-24h")
    assert [option.grant_key for option in answer.others] == ["response-72h", "first-available"]
    using.use(ref, "response-24h", 1)
    answer = asking(using, ref, Kind.RESPONSE)
    assert covered(answer) == (1, 0, "response-72h")
    assert any(
        "1 of 1 visit of the contract year 4 May 2026 – 3 May 2027 is used." in said
        for said in answer.reasons
    )
    assert covered(asking(using, ref, Kind.RESPONSE, grant_key="response-24h")) == (0, 1, "response-24h")
    using.use(ref, "response-72h", 2)
    assert covered(asking(using, ref, Kind.RESPONSE)) == (1, 0, "first-available")


def test_what_is_partly_left_is_covered_up_to_the_rest(using):
    ref = using.agree("custom", choices={"remote-programming": 3})
    using.connect()
    using.use(ref, "remote-programming", 480)
    answer = asking(using, ref, Kind.REMOTE, amount=300)
    assert (answer.amount, *covered(answer)) == (2, 1, 1, "remote-programming")
    assert answer.reasons[-1].endswith("covers 1 4-hour block; 1 4-hour block billable.")


def test_visits_that_are_used_up_are_billable_and_say_so(using):
    ref = using.agree("gold")
    using.use(ref, "visits", 2)
    answer = asking(using, ref, Kind.VISIT)
    assert covered(answer) == (0, 1, "visits")
    assert any(
        "2 of 2 visits of the contract year 4 May 2026 – 3 May 2027 are used." in said
        for said in answer.reasons
    )


def test_silver_grants_no_visit_and_says_that_a_day_can_be_bought(using):
    ref = using.agree("silver")
    answer = asking(using, ref, Kind.VISIT)
    assert covered(answer) == (0, 1, None)
    assert "Additional days of service: none in the contract year" in answer.reasons[0]
    assert answer.reasons[0].endswith("more can be bought.")
    assert asking(using, ref, Kind.VISIT, grant_key="visits").reasons[0].endswith("does not grant visits.")
    using.top_up(ref, "additional-days")
    assert covered(asking(using, ref, Kind.VISIT)) == (1, 0, "additional-days")


def test_an_option_needs_its_confirmation(using, tx):
    ref = using.agree("custom", choices={"after-hours": True, "response-24h": 1})
    answer = asking(using, ref, Kind.HOURS)
    assert not answer.is_covered
    assert "not confirmed as available" in answer.reasons[0]
    said = {
        "actor": using.world.program,
        "at": LATER,
        "ref": ref,
        "requirement_key": f"{CONFIRMED}after-hours",
        "is_met": True,
        "since_on": LATER.date(),
        "words": "",
    }
    refused(tx, "forbidden", mark_requirement, **said | {"actor": using.world.dealer})
    refused(tx, "not_granted", mark_requirement, **said | {"requirement_key": f"{CONFIRMED}weekend"})
    refused(tx, "invalid_input", mark_requirement, **said | {"since_on": date(2026, 12, 1)})
    assert mark_requirement(tx, **said).number == mark_requirement(tx, **said).number == 1
    tx.flush()
    assert covered(asking(using, ref, Kind.HOURS)) == (1, 0, "after-hours")
    assert not asking(using, ref, Kind.HOURS, day=LATER.date() - timedelta(days=1)).is_covered
    assert not asking(using, ref, Kind.HOURS, grant_key="weekend").is_covered


def test_a_requirement_is_met_as_the_mark_of_the_latest_day_says():
    day = date(2026, 5, 1)
    marks = [
        Mark(1, "access", True, day),
        Mark(2, "access", False, day + timedelta(days=10)),
        Mark(3, "access", True, day + timedelta(days=10)),
        Mark(4, "other", False, day),
    ]
    assert [is_met(marks, "access", day + timedelta(days=days)) for days in (-1, 0, 10)] == [
        False,
        True,
        True,
    ]
    assert is_met(marks[:2], "access", day + timedelta(days=10)) is False
    assert is_met(marks, "other", day) is False


def test_a_terminated_agreement_covers_its_last_day_and_not_the_next(using):
    ref = using.agree("gold")
    using.terminate(ref, last_on=date(2026, 6, 10))
    later = LATER + timedelta(days=60)
    assert asking(using, ref, Kind.VISIT, day=date(2026, 6, 10), at=later).is_covered
    answer = asking(using, ref, Kind.VISIT, day=date(2026, 6, 11), at=later)
    assert not answer.is_covered
    assert answer.reasons[0].endswith("It was terminated on 10 Jun 2026.")
    before = LATER - timedelta(days=1)
    assert asking(using, ref, Kind.VISIT, day=date(2026, 6, 11), as_of=before, at=later).is_covered


def test_uses_recorded_later_do_not_change_an_earlier_answer(using):
    ref = using.agree("gold", choices={"visits": 1})
    before = asking(using, ref, Kind.VISIT)
    using.use(ref, "visits", 1, at=LATER + timedelta(days=1))
    later = LATER + timedelta(days=2)
    assert asking(using, ref, Kind.VISIT, as_of=LATER, day=LATER.date(), at=later) == before
    assert not asking(using, ref, Kind.VISIT, day=LATER.date(), at=later).is_covered


def test_an_agreement_that_was_not_accepted_by_then_answers_nothing(using):
    ref = using.agree("gold", at=AT)
    offered = using.agree("gold", until="offered")
    for asked, said in ((ref, {"as_of": AT - timedelta(seconds=1)}), (offered, {})):
        with pytest.raises(Refusal, match="agreement_not_active"):
            asking(using, asked, Kind.VISIT, **said)


def test_premium_is_only_for_licenses_above_its_limit(using):
    with pytest.raises(Refusal, match="not_eligible"):
        using.agree("premium", license_cents=10_000_000)
    using.agree("premium", license_cents=10_000_001)


def test_the_class_says_where_it_is_given(using):
    ref = using.agree("premium", license_cents=10_000_001)
    answer = asking(using, ref, Kind.SERVICE, grant_key="registry-class")
    assert "Registry training class is given in Bellevue, WA only." in answer.reasons


def test_record_use_refuses_what_the_conditions_refuse(using, tx):
    ref = using.agree("gold")
    said = using.said(ref, "remote-programming", 60)
    refusal = refused(tx, "not_eligible", record_use, **said)
    assert "connected system with remote access" in refusal.message
    using.connect()
    assert record_use(tx, **said).covered == 60


def test_the_warranty_comes_first_and_then_the_plan(tx):
    world = make_world(tx)
    add_terms(tx, world.program)
    ground = make_ground(tx, world)
    unit = ground.ref()
    using = Using.made(tx, world)
    ref = using.agree("gold", sites=[f"{ground.project}/1"], months=60, choices={"parts-ketra": True})
    within = asking(using, ref, Kind.PARTS, source_ref=unit)
    assert (within.covered, within.cover.by, within.by) == (1, WARRANTY, None)
    assert within.reasons[-1] == f"Its warranty covers it: {world.account.company_name} owes it."
    after = asking(using, ref, Kind.PARTS, source_ref=unit, day=date(2030, 1, 1))
    assert (after.covered, after.by.grant_key, after.by.agreement_ref) == (1, "parts-ketra", ref)
    assert after.cover.provider == world.program.company_name


def test_parts_of_a_family_that_is_not_ticked_are_billable(using):
    ref = using.agree("gold")
    assert asking(using, ref, Kind.PARTS, family="lighting").is_covered
    answer = asking(using, ref, Kind.PARTS, family="ketra")
    assert covered(answer) == (0, 1, None)
    assert answer.reasons[0].endswith("does not grant parts of ketra.")
