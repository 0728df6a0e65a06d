"""Agreements as coverage sees them: warranty first, then plans by start; a past answer never changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from quotes.states import Category
from referral.db import read
from referral.models import Referral
from support.queries.plans import plans_known
from tests.factories import AT, make_dealer, make_world, user_of
from tests.support.using import LATER, Using
from tests.warranty.grounds import Ground, make_ground
from tests.warranty.test_claims import Claims, add_terms
from tests.warranty.test_source_page import statements
from warranty.models.claims import Claim
from warranty.operations.claims_deciding import decide_claim
from warranty.operations.events import record_source_event
from warranty.operations.sites import add_site
from warranty.queries.claim_verification import claim_faults
from warranty.queries.claims_page import claim_page
from warranty.queries.coverage import coverage_of
from warranty.queries.source_page import source_page
from warranty.rules.bars import SpanKind
from warranty.rules.coverage import WARRANTY
from warranty.states import SourceEventKind, Verdict

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

KETRA = {"parts-ketra": True}


@dataclass
class Planned:
    """A project whose lights shipped under terms, and agreements for its site."""

    tx: Session
    ground: Ground
    using: Using
    ends_on: date
    """The last day of the lights' warranty."""

    def agree(self, offer_key="gold", **overrides):
        """An agreement for the lights' site."""
        return self.using.agree(offer_key, **{"sites": [f"{self.ground.project}/1"]} | overrides)

    def answer(self, day, **overrides):
        """The coverage answer of the lights for a failure on a day."""
        said = {"viewer": self.using.world.dealer, "ref": self.ground.ref(), "at": LATER, "failed_on": day}
        return coverage_of(self.tx, **said | overrides)

    def by(self, day, **overrides):
        """What covers a failure on a day."""
        return [cover.by for cover in self.answer(day, **overrides).coverage.covers]


@pytest.fixture
def planned(tx):
    world = make_world(tx)
    add_terms(tx, world.program)
    ground = make_ground(tx, world)
    using = Using.made(tx, world)
    answer = coverage_of(tx, viewer=world.dealer, ref=ground.ref(), at=LATER, failed_on=LATER.date())
    return Planned(tx, ground, using, answer.coverage.warranty.ends_on)


def test_the_warranty_covers_first_and_plans_after_it_by_start(planned):
    second = planned.agree(starts_on=date(2027, 1, 1), months=36)
    first = planned.agree("silver", choices=KETRA, months=60)
    day = date(2027, 2, 1)
    assert planned.by(day) == [WARRANTY, f"Silver {first}", f"Gold {second}"]
    after = planned.ends_on + timedelta(days=1)
    answer = planned.answer(after)
    assert [cover.by for cover in answer.coverage.covers] == [f"Silver {first}", f"Gold {second}"]
    silver, gold = answer.coverage.covers
    assert (silver.parts, silver.labor, gold.parts, gold.labor) == (True, True, False, True)
    assert silver.provider == planned.using.world.program.company_name


def test_a_family_that_is_not_ticked_is_not_covered_for_parts(planned):
    ref = planned.agree("custom", choices={"parts-shades": True}, months=60)
    answer = planned.answer(planned.ends_on + timedelta(days=1))
    assert answer.coverage.verdict is Verdict.NOT_COVERED
    assert f"Custom plan {ref} grants neither parts of this family nor labor." in answer.coverage.reasons


def test_an_agreement_without_parts_and_labor_is_no_plan(planned):
    planned.agree("deluxe", months=60)
    planned.agree("gold", months=60, until="offered")
    assert planned.answer(planned.ends_on + timedelta(days=1)).plan_covers == ()


def test_the_gap_before_a_plan_is_said_in_days(planned):
    starts_on = planned.ends_on + timedelta(days=672)
    ref = planned.agree(starts_on=starts_on, months=12)
    answer = planned.answer(planned.ends_on + timedelta(days=5))
    assert answer.coverage.verdict is Verdict.NOT_COVERED
    said = f"Gold {ref} starts {starts_on.day} {starts_on:%b %Y}: gap of 671 days."
    assert answer.coverage.reasons[-1] == said
    page = source_page(planned.tx, viewer=planned.using.world.dealer, ref=planned.ground.ref(), at=LATER)
    kinds = [span.kind for span in page.bar.spans]
    assert kinds == [SpanKind.WARRANTY, SpanKind.GAP, SpanKind.GAP, SpanKind.PLAN]
    assert f"Gold {ref} starts" in page.bar.spans[1].words
    assert "gap of 671 days" in page.bar.spans[1].words


def test_a_plan_covers_at_most_ten_years_past_the_warranty(planned):
    """Program rules, section 9: at most 120 months past the unit's own warranty."""
    ref = planned.agree("gold", choices=KETRA, months=120, starts_on=planned.ends_on + timedelta(days=400))
    last = planned.answer(LATER.date()).coverage.warranty.limit_on
    assert (last.year - planned.ends_on.year, last.month, last.day) == (
        10,
        planned.ends_on.month,
        planned.ends_on.day,
    )
    at = datetime(2027, 1, 1, tzinfo=UTC)
    assert planned.by(last, at=at) == [f"Gold {ref}"]
    answer = planned.answer(last + timedelta(days=1), at=at)
    assert answer.coverage.verdict is Verdict.NOT_COVERED
    assert any("at most 120 months past its warranty" in said for said in answer.coverage.reasons)


def test_a_later_agreement_never_changes_a_past_answer(planned):
    day = planned.ends_on + timedelta(days=10)
    before = planned.answer(day)
    ref = planned.agree(at=LATER + timedelta(days=1), starts_on=LATER.date() + timedelta(days=1), months=60)
    later = LATER + timedelta(days=2)
    again = planned.answer(day, at=later, as_of=LATER)
    assert (again.coverage, again.plan_covers, again.words) == (before.coverage, (), before.words)
    assert again.known_now[0].startswith(f"Covered by Gold {ref}")
    assert planned.by(day, at=later) == [f"Gold {ref}"]


def test_a_termination_changes_answers_from_its_recording_on_alone(planned):
    ref = planned.agree(months=60)
    day = planned.ends_on + timedelta(days=10)
    planned.using.terminate(ref, last_on=LATER.date() + timedelta(days=5), at=LATER + timedelta(hours=1))
    later = LATER + timedelta(days=1)
    assert planned.by(day, at=later, as_of=LATER) == [f"Gold {ref}"]
    assert planned.by(day, at=later) == []


def test_a_plan_is_for_the_site_the_source_was_at_on_that_day(planned, tx):
    ref = planned.agree(months=60)
    world = planned.using.world
    guest = add_site(
        tx, actor=world.account, at=LATER, ref=planned.ground.project, name="Guest house", place="Camden, ME",
        time_zone="America/New_York",
    )  # fmt: skip
    said = {"actor": world.account, "at": LATER, "ref": planned.ground.ref(), "event_count": None}
    record_source_event(
        tx, kind=SourceEventKind.MOVED, happened_on=LATER.date(), site_number=guest.number, room="Hall",
        reason="", **said,
    )  # fmt: skip
    tx.flush()
    assert planned.by(LATER.date() - timedelta(days=1)) == [WARRANTY, f"Gold {ref}"]
    answer = planned.answer(planned.ends_on + timedelta(days=1))
    assert answer.coverage.covers == ()
    assert any(f"Gold {ref} is not for the site" in said for said in answer.coverage.reasons)


def test_a_claim_is_decided_by_the_warranty_alone_and_points_to_a_service_call(tx):
    world = make_world(tx)
    add_terms(tx, world.program)
    claims = Claims(tx, world)
    using = Using.made(tx, world)
    number = tx.get_one(Referral, (claims.light.dealer_id, claims.light.referral_id)).number
    plan = using.agree("gold", sites=[f"R-{world.dealer.company_code}-{number}/1"], months=120, choices=KETRA)
    at = datetime(2031, 5, 1, 15, tzinfo=UTC)
    ref = claims.open(at=at, failed_on=date(2031, 4, 20))
    page = claim_page(tx, viewer=world.account, at=at, ref=ref)
    assert (page.verdict, page.answer.plans) == (Verdict.NOT_COVERED, ())
    assert [cover.by for cover in page.plans] == [f"Gold {plan}"]
    said = claims.deciding(ref, at=at, is_accepted=False, reason="The warranty is over; the plan covers it.")
    decide_claim(tx, **said)
    tx.flush()
    claim = tx.scalars(sa.select(Claim)).one()
    assert (claim.verdict, claim.is_goodwill) == (Verdict.NOT_COVERED, False)
    assert claim_page(tx, viewer=world.account, at=at, ref=ref).plans == ()
    assert list(claim_faults(tx)) == []


def test_plans_of_other_dealers_and_sites_are_not_read(planned, tx):
    planned.agree()
    stranger = make_dealer(tx, planned.using.world.program, number="0048-9999")
    source = planned.ground.source(planned.ground.ref())
    said = {"families": (source.family,), "as_of": LATER}
    assert plans_known(tx, dealer_id=stranger.company_id, site_ids={source.site_id}, **said) == {}
    known = plans_known(tx, dealer_id=source.dealer_id, site_ids={source.site_id}, **said)
    assert [plan.name.split()[0] for plan in known[source.family]] == ["Gold"]
    assert source.category in {Category.LIGHT_SOURCE, Category.ACCESSORY}


def test_reading_plans_takes_as_many_statements_for_many_agreements_as_for_one(planned, tx):
    source = planned.ground.source(planned.ground.ref())
    said = {
        "dealer_id": source.dealer_id, "site_ids": {source.site_id}, "families": ("D3", "D2"), "as_of": LATER,
    }  # fmt: skip
    planned.agree()
    one = statements(tx, lambda: plans_known(tx, **said))
    for offer_key in ("silver", "platinum", "custom"):
        planned.agree(offer_key, choices={"parts-ketra": True})
    assert statements(tx, lambda: plans_known(tx, **said)) == one


def test_the_unit_page_and_the_project_page_show_the_plan(planned, tx, client):
    ref = planned.agree(months=60)
    client.sign_in(user_of(tx, planned.using.world.dealer))
    page = client.get(f"/sources/{planned.ground.ref()}")
    assert f"Gold {ref}, 4 May 2026 through 3 May 2031" in page.text
    assert 'class="cover-plan"' in client.get(f"/referrals/{planned.ground.project}/sources").html


def test_reading_is_a_read(planned):
    planned.agree()
    source = planned.ground.source(planned.ground.ref())
    planned.tx.commit()
    known = read(
        plans_known,
        dealer_id=source.dealer_id,
        site_ids={source.site_id},
        families=(source.family,),
        as_of=AT,
    )
    assert len(known[source.family]) == 1
