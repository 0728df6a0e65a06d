"""Visits: slots get their dates within service hours, move, end, and are never more than what is granted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from referral.models import AuditEvent, Referral
from referral.permissions import Role
from support.models.agreements import AgreementSite, QuotaUse
from support.models.calls import ServiceCall
from support.operations.agreements_ending import terminate_agreement
from support.operations.requirements import mark_requirement
from support.operations.systems import record_system
from support.operations.top_ups import top_up_agreement
from support.operations.visits import plan_visit
from support.operations.visits_changing import cancel_visit, move_visit
from support.operations.visits_ending import convert_visit, sign_off_visit
from support.queries.visit_verification import visit_faults
from support.queries.visits_to_plan import visits_to_plan
from support.rules.entitlement import CONFIRMED
from support.schemas.catalogue import read_catalogue
from support.states import Platform, VisitState
from tests.factories import (
    AT,
    make_account,
    make_agreement,
    make_catalogue,
    make_dealer,
    make_world,
    refused,
    user_of,
)
from tests.support.visiting import MONDAY, Visiting, add_place
from tests.warranty.test_claims import colleague
from warranty.models.sources import Site

SATURDAY = date(2026, 5, 16)


@pytest.fixture
def gold(tx):
    return Visiting(tx)


def top_up(visiting, **overrides):
    said = {
        "actor": visiting.world.program, "at": AT, "ref": visiting.ref, "grant_key": "additional-days",
        "contract_year": 1, "amount": 1, "bought_on": AT.date(), "net_cents": 100_000, "tax_basis_points": 0,
        "words": "A paid day", "idempotency_key": "top-up",
    }  # fmt: skip
    top_up_agreement(visiting.tx, **said | overrides)
    visiting.tx.flush()


# planning ---------------------------------------------------------------------------------------


def test_a_slot_gets_its_date_in_the_sites_wall_time_and_both_sides_are_told(tx, gold):
    ref = gold.plan(words="Ring twice")
    visit = gold.visit(ref)
    assert (visit.state, visit.contract_year, visit.slot, visit.sequence) == (VisitState.DATED, 1, 1, 0)
    assert (visit.starts_at, visit.ends_at) == (
        datetime(2026, 5, 11, 13, 0, tzinfo=UTC),
        datetime(2026, 5, 11, 16, 0, tzinfo=UTC),
    )
    world = gold.world
    told = [user_of(tx, each).email for each in (world.dealer, world.account)]
    assert gold.mails(f"{ref} is planned") == sorted(told)
    assert tx.scalars(sa.select(AuditEvent.subject).where(AuditEvent.event == "visit.planned")).all() == [ref]
    assert list(visit_faults(tx)) == []


def test_the_same_key_and_content_is_one_visit_and_other_content_is_refused(tx, gold):
    ref = gold.plan()
    assert gold.plan() == ref
    refused(tx, "idempotency_key_reused", plan_visit, **gold.planning(words="Other"))
    refused(tx, "idempotency_key_missing", plan_visit, **gold.planning(idempotency_key=""))


def test_slots_are_filled_in_order_and_end(tx, gold):
    assert [gold.visit(gold.plan(idempotency_key=f"v{n}")).slot for n in (1, 2)] == [1, 2]
    refused(tx, "no_slot_left", plan_visit, **gold.planning(idempotency_key="v3"))
    taken = gold.planning(idempotency_key="v4", contract_year=1, slot=2)
    refused(tx, "slot_taken", plan_visit, **taken)
    refused(tx, "no_slot_left", plan_visit, **taken | {"slot": 3})
    top_up(gold, grant_key="visits")
    assert gold.visit(gold.plan(idempotency_key="v3")).slot == 3
    assert list(visit_faults(tx)) == []


def test_a_visit_is_of_the_contract_year_of_its_day(tx):
    gold = Visiting(tx, months=24)
    last, first = date(2027, 5, 3), date(2027, 5, 4)
    assert gold.visit(gold.plan(day=last)).contract_year == 1
    assert gold.visit(gold.plan(day=first, idempotency_key="v2")).contract_year == 2
    wrong = gold.planning(day=first, contract_year=1, slot=2, idempotency_key="v3")
    assert refused(tx, "invalid_input", plan_visit, **wrong).field == "day"
    for day in (date(2026, 5, 1), date(2028, 5, 4)):
        late = gold.planning(day=day, idempotency_key="v4")
        assert refused(tx, "agreement_not_active", plan_visit, **late).field == "day"


def test_silver_has_no_visits_until_a_day_is_bought(tx):
    silver = Visiting(tx, offer_key="silver")
    said = silver.planning(grant_key="additional-days")
    assert "Buy an additional day" in refused(tx, "not_granted", plan_visit, **said).message
    top_up(silver)
    assert silver.visit(silver.plan(grant_key="additional-days")).grant_key == "additional-days"
    refused(tx, "no_slot_left", plan_visit, **said | {"idempotency_key": "v2"})
    refused(tx, "not_granted", plan_visit, **said | {"idempotency_key": "v3", "grant_key": "labor"})
    assert list(visit_faults(tx)) == []


def test_planning_refuses_what_does_not_hold_and_saves_nothing(tx, gold):
    other = make_agreement(gold.world)
    theirs = tx.scalars(sa.select(AgreementSite.site_id).where(AgreementSite.agreement_id == other.id)).one()
    for field, said in (
        ("site_id", {"site_id": theirs}),
        ("purposes", {"purposes": []}),
        ("purposes", {"purposes": ["Corrective maintenance"]}),
        ("ends", {"ends": time(9)}),
        ("ends", {"ends": time(8, 59)}),
    ):
        assert refused(tx, "invalid_input", plan_visit, **gold.planning(**said)).field == field
    for viewer in (make_dealer(tx, gold.world.program), make_account(tx, gold.world.program)):
        refused(tx, "not_found", plan_visit, **gold.planning(actor=viewer))
    refused(
        tx, "forbidden", plan_visit,
        **gold.planning(actor=colleague(tx, gold.world.dealer, Role.DEALER_VIEWER)),
    )  # fmt: skip
    draft = Visiting(tx, gold.world, until="offered")
    refused(tx, "agreement_not_active", plan_visit, **draft.planning())


def test_an_agreement_that_was_terminated_plans_nothing_after_its_last_day(tx, gold):
    terminate_agreement(
        tx, actor=gold.world.program, at=AT, ref=gold.ref, last_on=date(2026, 5, 12), reason="Sold"
    )
    refused(tx, "agreement_not_active", plan_visit, **gold.planning(day=date(2026, 5, 13)))
    assert gold.plan(day=date(2026, 5, 12))


def test_an_installer_of_the_account_and_the_program_plan_too(tx, gold):
    installer = colleague(tx, gold.world.account, Role.ACCOUNT_INSTALLER)
    gold.plan(actor=installer)
    gold.plan(actor=gold.world.program, idempotency_key="v2")


# service hours ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "starts,ends,is_open",
    [
        (time(8), time(17), True),
        (time(7, 59), time(10), False),
        (time(16), time(17, 1), False),
        (time(18), time(20), False),
    ],
)
def test_a_visit_lies_within_one_window_of_the_site(tx, gold, starts, ends, is_open):
    said = gold.planning(starts=starts, ends=ends)
    if is_open:
        plan_visit(tx, **said)
    else:
        no = refused(tx, "outside_hours", plan_visit, **said)
        assert no.message == "On a Monday the service hours are 08:00 to 17:00, as it is at the site."


def test_nobody_comes_on_a_holiday_nor_on_the_day_it_is_observed(tx, gold):
    no = refused(tx, "outside_hours", plan_visit, **gold.planning(day=date(2026, 11, 26)))
    assert no.message == "26 Nov 2026 is closed: Thanksgiving Day. Nobody comes on a holiday."
    observed = refused(tx, "outside_hours", plan_visit, **gold.planning(day=date(2026, 7, 3)))
    assert "Independence Day (observed)" in observed.message


def custom(tx, **ticks):
    return Visiting(tx, offer_key="custom", choices={"preventive-maintenance": 2, "response-48h": 1} | ticks)


def test_saturday_is_open_only_with_the_option_and_only_once_it_is_confirmed(tx):
    plain = custom(tx)
    said = {"grant_key": "preventive-maintenance", "day": SATURDAY}
    no = refused(tx, "outside_hours", plan_visit, **plain.planning(**said))
    assert no.message == "There are no service hours on a Saturday."
    wide = Visiting(
        tx, plain.world, offer_key="custom",
        choices={"preventive-maintenance": 2, "weekend": True, "after-hours": True},
    )  # fmt: skip
    no = refused(tx, "outside_hours", plan_visit, **wide.planning(**said))
    assert "once its availability at the site is confirmed" in no.message
    confirm(wide, "weekend")
    wide.plan(**said)
    evening = said | {"day": MONDAY, "starts": time(15), "ends": time(21), "idempotency_key": "v2"}
    no = refused(tx, "outside_hours", plan_visit, **wide.planning(**evening))
    assert "“After-hours (2 p.m. – 10 p.m.)” would allow it" in no.message
    confirm(wide, "after-hours")
    wide.plan(**evening)


def confirm(visiting, grant_key):
    mark_requirement(
        visiting.tx, actor=visiting.world.program, at=AT, ref=visiting.ref,
        requirement_key=CONFIRMED + grant_key, is_met=True, since_on=AT.date(), words="",
    )  # fmt: skip
    visiting.tx.flush()


def test_holidays_stay_closed_with_every_option(tx):
    wide = custom(tx, weekend=True)
    confirm(wide, "weekend")
    saturday = date(2026, 7, 4)
    said = wide.planning(grant_key="preventive-maintenance", day=saturday)
    assert "Independence Day" in refused(tx, "outside_hours", plan_visit, **said).message


@pytest.mark.parametrize(
    "day,hour",
    [(date(2026, 10, 30), 12), (date(2026, 11, 2), 13), (date(2027, 3, 12), 13), (date(2027, 3, 15), 12)],
)
def test_wall_times_stay_over_a_clock_change_at_the_site(tx, gold, day, hour):
    visit = gold.visit(gold.plan(day=day, starts=time(8), ends=time(9)))
    assert visit.starts_at == datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def test_the_day_and_the_hours_are_those_of_the_site_not_of_the_program(tx, gold):
    project = gold.world.refer()
    place = add_place(gold, project, "Asia/Tokyo")
    far = Visiting(tx, gold.world, sites=[place])
    visit = far.visit(far.plan(starts=time(8), ends=time(10)))
    assert visit.starts_at == datetime(2026, 5, 10, 23, 0, tzinfo=UTC)
    zone = tx.scalars(sa.select(Site.time_zone).where(Site.id == visit.site_id)).one()
    assert zone == "Asia/Tokyo"
    refused(tx, "outside_hours", plan_visit, **far.planning(day=SATURDAY, idempotency_key="v2"))


def test_a_new_offer_of_the_file_has_its_visits_hours_and_systems_without_code(tx):
    world = make_world(tx)
    offer = {
        "key": "night-watch", "name": "Night watch", "words": "Nights", "source": "Test", "calendar": "nights",
        "grants": [{
            "key": "rounds", "kind": "visit", "name": "Rounds", "words": "One", "chart": "All",
            "quota": {"unit": "visit", "amount": 1}, "purposes": ["Round"], "platforms": ["quantum"],
        }],
        "checklists": [{"purpose": "Round", "points": ["Doors"]}],
    }  # fmt: skip
    nights = {
        "key": "nights", "name": "Nights", "words": "Nights", "source": "Test", "zone": "site",
        "windows": [{"weekdays": [0], "opens": "20:00", "closes": "24:00"}],
    }  # fmt: skip
    said = {"version": 1, "calendars": [nights], "offers": [offer]}
    make_catalogue(tx, world.program, catalogue=read_catalogue(json.dumps(said).encode()))
    watch = Visiting(tx, world, offer_key="night-watch")
    night = {"grant_key": "rounds", "starts": time(21), "ends": time(22), "purposes": ["Round"]}
    no = refused(tx, "not_eligible", plan_visit, **watch.planning(**night))
    assert (no.field, "Quantum" in no.message) == ("site_id", True), no.message
    site = tx.scalars(sa.select(Site).where(Site.id == watch.site_id)).one()
    project = tx.scalars(sa.select(Referral.number).where(Referral.id == site.referral_id)).one()
    record_system(
        tx, actor=world.account, at=AT, ref=f"R-{world.dealer.company_code}-{project}", site_number=1,
        platform=Platform.QUANTUM, since_on=AT.date(), is_there=True, has_remote_access=False, words="",
    )  # fmt: skip
    refused(tx, "outside_hours", plan_visit, **watch.planning(**night | {"starts": time(19)}))
    ref = watch.plan(**night)
    watch.sign(ref, checked=["Round: Doors"])
    assert list(visit_faults(tx)) == []


# moving and cancelling --------------------------------------------------------------------------


def test_a_moved_visit_keeps_its_slot_and_number_and_counts_its_changes(tx, gold):
    ref = gold.plan()
    gold.move(ref)
    visit = gold.visit(ref)
    assert (visit.slot, visit.sequence, visit.starts_at.date()) == (1, 1, MONDAY + timedelta(days=1))
    assert visit.changed_at == AT + timedelta(hours=1)
    assert len(gold.mails(f"{ref} is changed")) == 2
    assert gold.move(ref).sequence == 1
    assert len(gold.mails(f"{ref} is changed")) == 2
    assert list(visit_faults(tx)) == []


def test_a_change_of_what_was_changed_meanwhile_is_refused(tx, gold):
    ref = gold.plan()
    gold.move(ref)
    for operation, said in (
        (move_visit, gold.moving(ref, day=MONDAY + timedelta(days=2))),
        (cancel_visit, gold.cancelling(ref)),
        (convert_visit, gold.converting(ref)),
        (sign_off_visit, gold.signing(ref)),
    ):
        refused(tx, "stale_visit", operation, **said)


def test_moving_is_held_to_the_same_rules_as_planning(tx, gold):
    ref = gold.plan()
    refused(tx, "outside_hours", move_visit, **gold.moving(ref, day=SATURDAY))
    refused(tx, "agreement_not_active", move_visit, **gold.moving(ref, day=date(2027, 6, 1)))
    long = Visiting(tx, gold.world, months=24)
    other = long.plan(idempotency_key="long")
    no = refused(tx, "invalid_input", move_visit, **long.moving(other, day=date(2027, 6, 1)))
    assert no.field == "day"


def test_a_cancelled_visit_frees_its_slot_and_stays(tx, gold):
    ref = gold.plan()
    gold.cancel(ref)
    assert gold.cancel(ref, at=AT + timedelta(days=1)).changed_at == AT + timedelta(hours=2)
    assert (gold.visit(ref).state, gold.visit(ref).closing_words) == (VisitState.CANCELLED, "Nobody is there")
    again = gold.plan(idempotency_key="v2")
    assert (gold.visit(again).slot, again == ref) == (1, False)
    assert len(gold.mails(f"{ref} is cancelled")) == 2
    refused(tx, "not_pending", move_visit, **gold.moving(ref, sequence=1))
    refused(tx, "reason_required", cancel_visit, **gold.cancelling(again, reason=" "))
    assert list(visit_faults(tx)) == []


# converting -------------------------------------------------------------------------------------


def test_a_converted_visit_uses_its_slot_and_opens_a_call_due_in_three_business_days(tx, gold):
    ref = gold.plan(day=date(2026, 6, 1))
    at = datetime(2026, 5, 20, 14, 0, tzinfo=UTC)
    gold.convert(ref, at=at)
    visit = gold.visit(ref)
    call = tx.scalars(sa.select(ServiceCall)).one()
    assert (visit.state, call.visit_id, call.opened_at) == (VisitState.CONVERTED, visit.id, at)
    # Wednesday 10:00; Thursday, Friday, then Memorial Day is closed: Tuesday 10:00.
    assert call.waits_until == datetime(2026, 5, 26, 14, 0, tzinfo=UTC)
    use = tx.scalars(sa.select(QuotaUse)).one()
    assert (use.visit_id, use.call_id, use.covered, use.contract_year) == (visit.id, call.id, 1, 1)
    assert len(gold.mails(f"{ref} becomes a remote session")) == 2
    assert gold.convert(ref, at=at).sequence == 1
    gold.plan(idempotency_key="v2")
    refused(tx, "no_slot_left", plan_visit, **gold.planning(idempotency_key="v3"))
    assert list(visit_faults(tx)) == []


def test_only_a_dated_visit_that_is_not_over_becomes_a_session(tx, gold):
    ref = gold.plan()
    over = datetime(2026, 5, 11, 16, 0, tzinfo=UTC)
    assert "is over" in refused(tx, "not_pending", convert_visit, **gold.converting(ref, at=over)).message
    refused(tx, "reason_required", convert_visit, **gold.converting(ref, problem=""))
    gold.cancel(ref)
    refused(tx, "not_pending", convert_visit, **gold.converting(ref, sequence=1))
    assert tx.scalars(sa.select(ServiceCall)).all() == []


def test_a_utility_day_of_a_custom_plan_becomes_a_session_too(tx):
    plan = custom(tx)
    ref = plan.plan(grant_key="preventive-maintenance")
    plan.convert(ref)
    assert plan.visit(ref).state is VisitState.CONVERTED
    assert tx.scalars(sa.select(ServiceCall)).one().visit_id == plan.visit(ref).id


def test_a_day_that_was_bought_names_no_session_and_stays_a_visit(tx, gold):
    top_up_agreement(
        tx, actor=gold.world.program, at=AT, ref=gold.ref, grant_key="additional-days", contract_year=1,
        amount=1, bought_on=AT.date(), net_cents=90_000, tax_basis_points=0, words="One day more",
        idempotency_key="day",
    )  # fmt: skip
    ref = gold.plan(grant_key="additional-days")
    refused(tx, "not_granted", convert_visit, **gold.converting(ref))


# signing off ------------------------------------------------------------------------------------


def test_a_signed_visit_uses_its_slot_on_its_day_and_never_changes(tx, gold):
    ref = gold.plan()
    gold.sign(ref)
    visit = gold.visit(ref)
    assert (visit.state, visit.signed_name, visit.sequence) == (VisitState.DONE, "Edith Marsh", 1)
    assert visit.checked == ["Preventive maintenance: Panel maintenance"]
    use = tx.scalars(sa.select(QuotaUse)).one()
    assert (use.visit_id, use.grant_key, use.used_on, use.covered) == (visit.id, "visits", MONDAY, 1)
    assert gold.sign(ref).sequence == 1
    assert tx.scalar(sa.select(sa.func.count()).select_from(QuotaUse)) == 1
    refused(tx, "not_pending", sign_off_visit, **gold.signing(ref, report="Other"))
    refused(tx, "not_pending", move_visit, **gold.moving(ref, sequence=1))
    refused(tx, "not_pending", cancel_visit, **gold.cancelling(ref, sequence=1))
    assert list(visit_faults(tx)) == []
    tx.commit()
    for statement in ("UPDATE service_visit SET report = 'x'", "DELETE FROM service_visit"):
        with pytest.raises(DBAPIError, match="immutable|append_only"):
            tx.execute(sa.text(statement))
        tx.rollback()


def test_signing_off_refuses_what_does_not_hold_and_saves_nothing(tx, gold):
    ref = gold.plan()
    early = datetime(2026, 5, 11, 12, 59, tzinfo=UTC)
    assert (
        "still to come" in refused(tx, "invalid_input", sign_off_visit, **gold.signing(ref, at=early)).message
    )
    refused(tx, "reason_required", sign_off_visit, **gold.signing(ref, report=" "))
    for field, said in (("signed_name", {"signed_name": " "}), ("checked", {"checked": ["Cleaned"]})):
        assert refused(tx, "invalid_input", sign_off_visit, **gold.signing(ref, **said)).field == field
    refused(tx, "not_found", sign_off_visit, **gold.signing(ref, actor=make_account(tx, gold.world.program)))


def test_after_the_yearly_visit_a_check_up_is_due_six_months_later_and_has_no_quota(tx):
    premium = Visiting(tx, offer_key="premium", license_cents=10_000_001, starts_on=date(2026, 5, 4))
    ref = premium.plan(grant_key="annual-visit", purposes=["Software tune-up analysis"])
    premium.sign(ref, checked=[])
    when = datetime(2026, 10, 20, 16, 0, tzinfo=UTC)
    found = visits_to_plan(tx, viewer=premium.world.dealer, at=when).rows
    assert [(row.key, row.due_on, row.is_late) for row in found] == [
        (("check-up-30-days", 1, 1), date(2026, 6, 3), True),
        (("check-up-6-months", 1, 1), date(2026, 11, 11), False),
    ]
    # A remote session is held in the hours of the desk: 08:00 in New York is 05:00 there.
    said = {
        "grant_key": "check-up-6-months", "day": date(2026, 11, 11), "purposes": [], "idempotency_key": "v2",
        "at": when,
    }  # fmt: skip
    no = refused(tx, "outside_hours", plan_visit, **premium.planning(**said, starts=time(8), ends=time(9)))
    assert "in America/Los_Angeles" in no.message
    check_up = premium.plan(**said, starts=time(10), ends=time(11))
    premium.sign(check_up, at=datetime(2026, 11, 12, 16, 0, tzinfo=UTC), checked=[])
    assert tx.scalar(sa.select(sa.func.count()).select_from(QuotaUse)) == 1
    assert list(visit_faults(tx)) == []


# what to plan, and who sees it ------------------------------------------------------------------


def test_what_to_plan_is_what_running_years_have_without_a_date(tx, gold):
    def undated(at, viewer=None):
        rows = visits_to_plan(tx, viewer=viewer or gold.world.dealer, at=at).rows
        return [(row.undated, row.whole, row.due_on) for row in rows]

    assert undated(AT) == [(2, 2, date(2027, 5, 3))]
    gold.plan()
    assert undated(AT, gold.world.account) == [(1, 2, date(2027, 5, 3))]
    assert undated(AT - timedelta(days=1)) == []
    assert undated(AT + timedelta(days=365)) == []
    assert undated(AT, make_dealer(tx, gold.world.program)) == []


def test_an_account_plans_at_its_own_sites_alone(tx, gold):
    world = gold.world
    other = make_account(tx, world.program)
    project = replace(world, account=other).refer()
    both = Visiting(tx, world, sites=[f"{world.refer()}/1", f"{project}/1"])
    sites = dict(
        tx.execute(
            sa.select(AgreementSite.account_id, AgreementSite.site_id).where(
                AgreementSite.agreement_id == both.agreement.id
            )
        ).all()
    )
    said = both.planning(actor=world.account, site_id=sites[other.company_id])
    assert refused(tx, "invalid_input", plan_visit, **said).field == "site_id"
    ref = both.plan(site_id=sites[other.company_id])
    refused(tx, "not_found", move_visit, **both.moving(ref))
    moved = both.moving(ref, actor=world.dealer, site_id=sites[world.account.company_id])
    assert refused(tx, "invalid_input", move_visit, **moved).field == "site_id"


def test_verification_finds_what_was_tampered_with(tx, gold):
    ref = gold.plan()
    gold.plan(idempotency_key="v2")
    gold.sign(ref)
    tx.commit()
    for values, fault in (
        ("words = 'Ring twice'", "is dated otherwise"),
        ("sequence = 7", "was changed otherwise"),
        ("state = 'cancelled'", "closing words"),
    ):
        tx.execute(sa.text(f"UPDATE service_visit SET {values} WHERE state = 'dated'"))
        tx.expire_all()
        assert any(fault in each for each in visit_faults(tx)), values
        tx.rollback()
