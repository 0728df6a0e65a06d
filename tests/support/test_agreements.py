"""Agreements: built of an offer, priced, accepted by name and digest, declined, taken back."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ledger.models.evidence import Evidence
from ledger.states import EvidenceKind
from referral.ids import PublicNumber
from referral.models import AuditEvent, Company, OutgoingMail
from referral.permissions import Role
from support.models.agreements import Agreement, AgreementPrice, AgreementSite, SiteSystem
from support.operations.agreements import build_agreement, edit_agreement
from support.operations.agreements_deciding import (
    accept_agreement,
    decline_agreement,
    offer_agreement,
    revise_agreement,
    withdraw_agreement,
)
from support.queries.agreement_page import agreement_page
from support.queries.agreement_verification import agreement_faults
from support.states import AgreementState, Platform
from tests.factories import (
    AT,
    make_account,
    make_agreement,
    make_catalogue,
    make_dealer,
    make_user,
    make_world,
    refused,
    user_of,
)
from warranty.models.sources import Site

TODAY = AT.date()
START = TODAY + timedelta(days=10)
SOFTWARE = "software-maintenance"


class Agreements:
    """A world with the shipped catalogue, and a project of the dealer."""

    def __init__(self, tx):
        self.tx = tx
        self.world = make_world(tx)
        make_catalogue(tx, self.world.program)
        self.project = self.world.refer()
        self.site = f"{self.project}/1"

    def ref_of(self, agreement):
        """Its public number."""
        return str(PublicNumber("A", self.world.dealer.company_code, agreement.number))

    def building(self, **overrides):
        """What builds a custom plan for a year: two visits of 48 hours, any number of 72, Ketra's parts."""
        said = {
            "actor": self.world.dealer, "at": AT, "offer_key": "custom", "offer_version": None,
            "customer": "Edith Marsh", "sites": [self.site], "starts_on": START, "months": 12,
            "choices": {"response-48h": 2, "response-72h": None, "parts-ketra": True},
            "license_cents": None, "idempotency_key": "build-1",
        }  # fmt: skip
        return said | overrides

    def editing(self, agreement, **overrides):
        """What saves the same content again."""
        said = self.building()
        for name in ("offer_key", "idempotency_key"):
            said.pop(name)
        return said | {"ref": self.ref_of(agreement), "edit_count": agreement.edit_count} | overrides

    def pricing(self, agreement, **overrides):
        """What offers a year for 1,200.05 and 8.25 percent of tax."""
        said = {
            "actor": self.world.program, "at": AT, "ref": self.ref_of(agreement),
            "edit_count": agreement.edit_count, "net_cents": [120_005], "tax_basis_points": 825,
        }  # fmt: skip
        return said | overrides

    def accepting(self, agreement, **overrides):
        """What accepts what is offered."""
        said = {
            "actor": self.world.dealer, "at": AT, "ref": self.ref_of(agreement),
            "digest": agreement.terms_digest, "is_accepted": True, "typed_name": self.world.dealer.name,
        }  # fmt: skip
        return said | overrides

    def made(self, **overrides):
        """An accepted agreement, unless `until` says otherwise."""
        said = {"sites": [self.site], "starts_on": START, "offer_key": "custom"}
        if overrides.get("offer_key", "custom") == "custom":
            said["choices"] = {"response-48h": 2, "parts-ketra": True}
        return make_agreement(self.world, **(said | overrides))

    def has(self, *platforms, site=None, since_on=TODAY):
        """Systems recorded at the site."""
        site = site or self.own_site()
        for number, platform in enumerate(platforms, start=1):
            self.tx.add(
                SiteSystem(
                    dealer_id=site.dealer_id, site_id=site.id, number=number, platform=platform,
                    since_on=since_on, is_there=True, has_remote_access=False, words="",
                    recorded_by=self.world.account.user_id, recorded_at=AT,
                )
            )  # fmt: skip
        self.tx.flush()

    def own_site(self):
        """The project's own place, recorded."""
        agreement = self.made(until="draft", idempotency_key="place")
        link = self.tx.scalars(
            sa.select(AgreementSite).where(AgreementSite.agreement_id == agreement.id)
        ).one()
        return self.tx.get_one(Site, (link.dealer_id, link.site_id))

    def mails(self, words):
        """To whom mails went whose subject holds the words."""
        self.tx.flush()
        return sorted(
            self.tx.scalars(sa.select(OutgoingMail.recipient).where(OutgoingMail.subject.contains(words)))
        )

    def email(self, viewer):
        """Where a mail to the viewer goes."""
        return user_of(self.tx, viewer).email


@pytest.fixture
def them(tx):
    return Agreements(tx)


# building ---------------------------------------------------------------------------------------


def test_a_draft_holds_a_word_on_every_choice_and_the_account_of_each_site(tx, them):
    agreement = build_agreement(tx, **them.building())
    choices = json.loads(agreement.choices)
    assert (choices["response-48h"], choices["response-72h"], choices["first-available"]) == (2, None, 0)
    assert (choices["parts-ketra"], choices["parts-lighting"]) == (True, False)
    assert (agreement.state, agreement.last_on) == (
        AgreementState.DRAFT,
        START.replace(year=2027) - timedelta(1),
    )
    links = tx.scalars(sa.select(AgreementSite)).all()
    assert [link.account_id for link in links] == [them.world.account.company_id]
    assert them.mails("Custom plan for Edith Marsh") == sorted(
        [them.email(them.world.dealer), them.email(them.world.program)]
    )


def test_the_same_key_and_content_is_one_agreement_and_other_content_is_refused(tx, them):
    first = build_agreement(tx, **them.building())
    assert build_agreement(tx, **them.building()).id == first.id
    refused(tx, "idempotency_key_reused", build_agreement, **them.building(customer="Somebody"))
    assert tx.scalar(sa.select(sa.func.count()).select_from(Agreement)) == 1


@pytest.mark.parametrize(
    "choices",
    [
        {"no-such-grant": 1}, {"response-48h": 1000}, {"response-48h": -1}, {"response-48h": True},
        {"parts-ketra": 1}, {"parts-ketra": None}, {}, {"response-48h": 0},
    ],
)  # fmt: skip
def test_building_refuses_choices_that_the_offer_does_not_have(tx, them, choices):
    refused(tx, "invalid_input", build_agreement, **them.building(choices=choices))


def test_a_count_that_an_offer_leaves_open_has_to_be_said(tx, them):
    said = them.building(offer_key="gold", choices={})
    assert "say how many" in refused(tx, "invalid_input", build_agreement, **said).message
    assert build_agreement(tx, **(said | {"choices": {"visits": 0}})).number == 1


def test_building_refuses_what_cannot_be_and_saves_nothing(tx, them):
    building = them.building
    for bad in ({"sites": []}, {"customer": " "}, {"months": 0}, {"starts_on": TODAY - timedelta(days=1)}):
        refused(tx, "invalid_input", build_agreement, **building(**bad))
    refused(tx, "idempotency_key_missing", build_agreement, **building(idempotency_key=" "))
    refused(tx, "not_found", build_agreement, **building(offer_key="no-such-offer"))
    refused(tx, "not_found", build_agreement, **building(offer_key="software-support"))
    refused(tx, "not_found", build_agreement, **building(sites=["R-NOBODY-1/1"]))
    refused(tx, "not_found", build_agreement, **building(sites=[f"{them.project}/7"]))
    refused(tx, "not_found", build_agreement, **building(sites=["the garden"]))
    refused(tx, "offer_outdated", build_agreement, **building(offer_version=2))
    viewer = make_user(tx, tx.get_one(Company, them.world.dealer.company_id), Role.DEALER_VIEWER)
    refused(tx, "forbidden", build_agreement, **building(actor=viewer))


def test_building_is_for_those_who_see_the_sites(tx, them):
    stranger = make_dealer(tx, them.world.program)
    refused(tx, "not_found", build_agreement, **them.building(actor=stranger))
    refused(tx, "not_found", build_agreement, **them.building(actor=make_account(tx, them.world.program)))
    assert build_agreement(tx, **them.building(actor=them.world.account)).number == 1
    assert (
        build_agreement(tx, **them.building(actor=them.world.program, idempotency_key="build-2")).number == 2
    )


def test_sites_of_different_projects_are_one_agreement_and_of_different_dealers_are_not(tx, them):
    world = them.world
    other = world.refer()
    agreement = build_agreement(tx, **them.building(sites=[them.site, f"{other}/1"]))
    page = agreement_page(tx, viewer=world.dealer, at=AT, ref=them.ref_of(agreement))
    assert [site.term.ref for site in page.sites] == [them.site, f"{other}/1"]
    second = make_world_beside(tx, world)
    said = them.building(actor=world.program, sites=[them.site, second], idempotency_key="build-2")
    assert refused(tx, "invalid_input", build_agreement, **said).field == "sites"


def make_world_beside(tx, world):
    """A site of another dealer of the same program."""
    dealer = make_dealer(tx, world.program)
    beside = type(world)(tx, world.program, dealer, world.account, "")
    return f"{beside.refer()}/1"


# for whom it is sold ----------------------------------------------------------------------------


def test_premium_is_sold_above_100_000_00_and_not_at_it(tx, them):
    said = them.building(offer_key="premium", choices={}, license_cents=100_000_00)
    assert refused(tx, "not_eligible", build_agreement, **said).field == "license_cents"
    refused(tx, "not_eligible", build_agreement, **(said | {"license_cents": None}))
    assert build_agreement(tx, **(said | {"license_cents": 100_000_01})).license_cents == 100_000_01


def test_software_maintenance_is_sold_for_one_to_five_whole_years_where_there_is_a_quantum(tx, them):
    them.has(Platform.QUANTUM)
    said = them.building(offer_key=SOFTWARE, choices={}, months=60)
    assert refused(tx, "term_too_long", build_agreement, **(said | {"months": 72})).field == "months"
    assert refused(tx, "invalid_input", build_agreement, **(said | {"months": 18})).field == "months"
    assert build_agreement(tx, **said).months == 60


def test_software_maintenance_needs_a_quantum_at_every_site(tx, them):
    said = them.building(offer_key=SOFTWARE, choices={})
    assert refused(tx, "not_eligible", build_agreement, **said).field == "sites"
    them.has(Platform.ATHENA)
    refused(tx, "not_eligible", build_agreement, **said)
    tx.rollback()


def test_a_system_counts_from_its_day_on(tx, them):
    them.has(Platform.QUANTUM, since_on=START + timedelta(days=1))
    said = them.building(offer_key=SOFTWARE, choices={})
    refused(tx, "not_eligible", build_agreement, **said)
    assert build_agreement(tx, **(said | {"starts_on": START + timedelta(days=1)})).months == 12


def test_no_agreement_is_longer_than_120_months(tx, them):
    refused(tx, "term_too_long", build_agreement, **them.building(months=121))
    assert build_agreement(tx, **them.building(months=120)).last_on == START.replace(year=2036) - timedelta(1)


# changing the draft -----------------------------------------------------------------------------


def test_a_draft_is_changed_with_the_count_it_was_read_with(tx, them):
    agreement = build_agreement(tx, **them.building())
    edit_agreement(tx, **them.editing(agreement, months=24, customer="The Marshes"))
    assert (agreement.months, agreement.customer, agreement.edit_count) == (24, "The Marshes", 2)
    refused(tx, "stale_agreement", edit_agreement, **them.editing(agreement, months=36, edit_count=1))
    again = them.editing(agreement, months=24, customer="The Marshes", edit_count=1)
    assert edit_agreement(tx, **again).edit_count == 2


def test_a_draft_moves_to_the_newest_version_of_its_offer(tx, them):
    agreement = build_agreement(tx, **them.building())
    refused(tx, "offer_outdated", edit_agreement, **them.editing(agreement, offer_version=2))
    assert edit_agreement(tx, **them.editing(agreement, offer_version=1)).edit_count == 1


def test_an_offered_agreement_is_not_changed(tx, them):
    agreement = them.made(until="offered")
    refused(tx, "not_pending", edit_agreement, **them.editing(agreement))


# pricing ----------------------------------------------------------------------------------------


def test_tax_is_a_line_of_its_own_and_rounded_half_up(tx, them):
    agreement = build_agreement(tx, **them.building(months=18))
    offer_agreement(tx, **them.pricing(agreement, net_cents=[120_005, 60_000]))
    rows = tx.scalars(sa.select(AgreementPrice).order_by(AgreementPrice.contract_year)).all()
    assert [(row.net_cents, row.tax_cents) for row in rows] == [(120_005, 9_900), (60_000, 4_950)]
    page = agreement_page(tx, viewer=them.world.dealer, at=AT, ref=them.ref_of(agreement))
    assert (page.sums.net_cents, page.sums.tax_cents, page.sums.total_cents) == (180_005, 14_850, 194_855)
    assert [line.first_on for line in page.prices] == [START, START.replace(year=2027)]
    said = json.loads(agreement.terms)
    assert [line["tax_cents"] for line in said["prices"]] == [9_900, 4_950]
    assert said["last_on"] == "2027-11-13"


def test_offering_refuses_prices_that_do_not_fit_and_saves_nothing(tx, them):
    agreement = build_agreement(tx, **them.building())
    for bad in ({"net_cents": []}, {"net_cents": [1, 2]}, {"net_cents": [-1]}, {"tax_basis_points": 10_001}):
        refused(tx, "invalid_input", offer_agreement, **them.pricing(agreement, **bad))
    refused(tx, "stale_agreement", offer_agreement, **them.pricing(agreement, edit_count=7))
    refused(tx, "forbidden", offer_agreement, **them.pricing(agreement, actor=them.world.dealer))
    late = AT + timedelta(days=11)
    assert (
        refused(tx, "invalid_input", offer_agreement, **them.pricing(agreement, at=late)).field == "starts_on"
    )


def test_the_same_prices_twice_are_one_offer(tx, them):
    agreement = build_agreement(tx, **them.building())
    said = them.pricing(agreement)
    offer_agreement(tx, **said)
    offer_agreement(tx, **said)
    assert agreement.edit_count == 2
    refused(tx, "not_pending", offer_agreement, **(said | {"net_cents": [1]}))
    assert len(them.mails("is offered")) == 2


def test_an_offer_that_is_taken_back_to_a_draft_has_no_terms_and_keeps_its_last_prices(tx, them):
    agreement = them.made(until="offered")
    ref = them.ref_of(agreement)
    refused(tx, "reason_required", revise_agreement, actor=them.world.dealer, at=AT, ref=ref, reason=" ")
    revise_agreement(tx, actor=them.world.dealer, at=AT, ref=ref, reason="One visit more")
    assert (agreement.state, agreement.terms, agreement.terms_digest) == (AgreementState.DRAFT, "", None)
    page = agreement_page(tx, viewer=them.world.program, at=AT, ref=ref)
    assert page.sums.net_cents == 120_000
    assert page.is_to_price
    assert not list(agreement_faults(tx))


# accepting --------------------------------------------------------------------------------------


def test_what_is_accepted_stands_in_the_dealers_evidence(tx, them):
    agreement = them.made(until="offered")
    accept_agreement(tx, **them.accepting(agreement))
    kept = tx.scalars(sa.select(Evidence).where(Evidence.kind == EvidenceKind.AGREEMENT)).one()
    assert kept.subject == them.ref_of(agreement)
    assert agreement.accepted_name == them.world.dealer.name
    everybody = [them.email(each) for each in (them.world.dealer, them.world.program, them.world.account)]
    assert them.mails("is accepted") == sorted(everybody)
    assert not list(agreement_faults(tx))


def test_the_same_acceptance_twice_is_one(tx, them):
    agreement = them.made(until="offered")
    said = them.accepting(agreement)
    accept_agreement(tx, **said)
    accept_agreement(tx, **said)
    count = sa.select(sa.func.count()).select_from(Evidence).where(Evidence.kind == EvidenceKind.AGREEMENT)
    assert tx.scalar(count) == 1
    assert (
        tx.scalar(
            sa.select(sa.func.count()).select_from(AuditEvent).where(AuditEvent.event == "agreement.accepted")
        )
        == 1
    )


def test_accepting_refuses_another_digest_name_or_no_terms_and_saves_nothing(tx, them):
    agreement = them.made(until="offered")
    accepting = them.accepting
    refused(tx, "digest_mismatch", accept_agreement, **accepting(agreement, digest="0" * 64))
    refused(tx, "typed_name_mismatch", accept_agreement, **accepting(agreement, typed_name="Somebody Else"))
    refused(tx, "terms_not_accepted", accept_agreement, **accepting(agreement, is_accepted=False))
    refused(tx, "forbidden", accept_agreement, **accepting(agreement, actor=them.world.account))
    refused(tx, "forbidden", accept_agreement, **accepting(agreement, actor=them.world.program))
    late = AT + timedelta(days=11)
    assert (
        "first day is over"
        in refused(tx, "invalid_input", accept_agreement, **accepting(agreement, at=late)).message
    )
    stranger = make_dealer(tx, them.world.program)
    refused(tx, "not_found", accept_agreement, **accepting(agreement, actor=stranger))


def test_a_draft_is_not_accepted(tx, them):
    agreement = them.made(until="draft")
    refused(tx, "not_pending", accept_agreement, **them.accepting(agreement, digest=""))


def test_what_is_declined_says_why_and_can_be_taken_back_to_a_draft(tx, them):
    agreement = them.made(until="offered")
    said = {"actor": them.world.dealer, "at": AT, "ref": them.ref_of(agreement)}
    refused(tx, "reason_required", decline_agreement, **said, reason="")
    decline_agreement(tx, **said, reason="Too dear")
    decline_agreement(tx, **said, reason="Too dear")
    assert (agreement.state, agreement.closing_words) == (AgreementState.DECLINED, "Too dear")
    assert len(them.mails("is declined")) == 2
    refused(tx, "not_pending", accept_agreement, **them.accepting(agreement))
    revise_agreement(tx, **said, reason="Once more")
    assert (agreement.closing_words, agreement.closed_by) == ("", None)
    assert not list(agreement_faults(tx))


def test_what_is_not_accepted_is_withdrawn_by_its_dealer_its_maker_or_the_program(tx, them):
    agreement = them.made(until="offered")
    said = {"at": AT, "ref": them.ref_of(agreement), "reason": "Not needed"}
    refused(tx, "forbidden", withdraw_agreement, actor=them.world.account, **said)
    withdraw_agreement(tx, actor=them.world.program, **said)
    withdraw_agreement(tx, actor=them.world.program, **said)
    assert agreement.state is AgreementState.WITHDRAWN
    assert not list(agreement_faults(tx))
    done = them.made()
    refused(
        tx,
        "not_pending",
        withdraw_agreement,
        actor=them.world.dealer,
        at=AT,
        ref=them.ref_of(done),
        reason="No",
    )
