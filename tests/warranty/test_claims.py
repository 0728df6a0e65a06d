"""Warranty claims: opened on what is in place, decided by an answer that is kept, made good, taken back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ledger.models.accounts import LedgerEntry
from ledger.models.evidence import Evidence
from ledger.states import EvidenceKind
from quotes.models.quotes import Approval
from quotes.models.replacements import Replacement
from referral.clock import now
from referral.db import read
from referral.ids import PublicNumber
from referral.models import Company, OutgoingMail
from referral.permissions import Role
from referral.queries.settings import today
from tests.factories import AT, make_account, make_user, make_world, refused, user_of
from tests.quotes.test_api import call, keyed  # noqa: F401 - a fixture
from tests.tampering import do
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource, Site, SourceEvent
from warranty.operations.claims import open_claim, withdraw_claim
from warranty.operations.claims_deciding import decide_claim
from warranty.operations.claims_fulfilling import fulfil_claim, swap_claim
from warranty.operations.events import record_source_event
from warranty.operations.terms import TermInput, set_term
from warranty.queries.claim_verification import claim_faults
from warranty.queries.claims import ClaimFilter, claims_page
from warranty.queries.claims_page import claim_page
from warranty.queries.facts import facts_of
from warranty.rules.answers import answer_json, holds, read_answer
from warranty.rules.coverage import warranty_of
from warranty.states import ClaimState, Lacking, SourceEventKind, Standing, StartRule, Verdict

NOW = now()
TODAY = AT.date()
LATER = AT + timedelta(days=10)
"""When claims happen in these tests: 14 May 2026."""


def add_terms(tx, program, *, at=AT - timedelta(days=400), **overrides):
    """Terms of family D3 since 2020: 12 months from shipping, 30 days to report."""
    said = {
        "family": "D3", "valid_from": date(2020, 1, 1), "months": 12, "start_rule": StartRule.SHIPPED,
        "cap_days": None, "covers_parts": True, "covers_labor": False, "report_days": 30, "replacement_days": 0,
        "source": "Sheet", "reason": "First",
    }  # fmt: skip
    set_term(tx, actor=program, at=at, said=TermInput(**(said | overrides)))
    tx.flush()


class Claims:
    """A world with an order that shipped: ten lights and ten trims."""

    def __init__(self, tx, world):
        self.tx, self.world = tx, world
        self.order, self.order_ref = self.world.order()
        self.world.ship(self.order_ref)
        self.light = self.source("D3-LIGHT")
        self.u = self.ref_of(self.light)

    def source(self, model):
        """The newest source of a model."""
        return self.tx.scalars(
            sa.select(InstalledSource)
            .where(
                InstalledSource.dealer_id == self.world.dealer.company_id,
                InstalledSource.model_number == model,
            )
            .order_by(InstalledSource.number.desc())
            .limit(1)
        ).one()

    def ref_of(self, source):
        """The number of a source."""
        return str(PublicNumber("U", self.world.dealer.company_code, source.number))

    def opening(self, **overrides):
        """What opens a claim of two lights by the dealer."""
        said = {
            "actor": self.world.dealer, "at": LATER, "ref": self.u, "quantity": 2, "problem": "They flicker",
            "failed_on": TODAY + timedelta(days=5), "idempotency_key": "claim-1",
        }  # fmt: skip
        return said | overrides

    def open(self, **overrides):
        """Open a claim; returns its number."""
        claim = open_claim(self.tx, **self.opening(**overrides))
        self.tx.flush()
        return str(PublicNumber("C", self.world.dealer.company_code, claim.number))

    def deciding(self, ref, **overrides):
        """What accepts a claim."""
        said = {"actor": self.world.account, "at": LATER, "ref": ref, "is_accepted": True, "reason": ""}
        return said | overrides

    def fulfilling(self, ref, **overrides):
        """What orders the replacement of a claim."""
        said = {"actor": self.world.account, "at": LATER, "ref": ref, "is_replaced": True, "words": ""}
        return said | overrides

    def accepted(self, **overrides):
        """A claim that is accepted because it is covered."""
        ref = self.open(**overrides)
        decide_claim(self.tx, **self.deciding(ref))
        self.tx.flush()
        return ref

    def claim(self, ref):
        """The claim of this number."""
        return self.tx.scalars(sa.select(Claim).where(Claim.number == int(ref.rpartition("-")[2]))).one()

    def mails(self, word):
        """To whom mails went whose subject holds the word."""
        self.tx.flush()
        return sorted(
            self.tx.scalars(sa.select(OutgoingMail.recipient).where(OutgoingMail.subject.contains(word)))
        )


@pytest.fixture
def claims(tx):
    world = make_world(tx)
    add_terms(tx, world.program)
    return Claims(tx, world)


def email(tx, viewer):
    return user_of(tx, viewer).email


def colleague(tx, viewer, role):
    return make_user(tx, tx.get_one(Company, viewer.company_id), role)


# opening ----------------------------------------------------------------------------------------


def test_a_claim_of_some_units_of_a_group_takes_them_out_of_it(tx, claims):
    ref = claims.open()
    claim = claims.claim(ref)
    failed = tx.get_one(InstalledSource, (claim.dealer_id, claim.source_id))
    tx.refresh(claims.light)
    assert (failed.quantity, failed.split_from_id, claims.light.quantity) == (2, claims.light.id, 8)
    assert (claim.state, claim.reported_on, claim.account_id) == (
        ClaimState.OPEN,
        LATER.date(),
        claims.world.account.company_id,
    )
    world = claims.world
    assert claims.mails("failed") == sorted([email(tx, world.dealer), email(tx, world.account)])
    paths = set(tx.scalars(sa.select(OutgoingMail.path).where(OutgoingMail.subject.contains("failed"))))
    assert paths == {f"/claims/{ref}"}


def test_a_claim_of_a_whole_group_is_of_that_group(tx, claims):
    ref = claims.open(quantity=None, actor=colleague(tx, claims.world.account, Role.ACCOUNT_INSTALLER))
    assert claims.claim(ref).source_id == claims.light.id


def test_the_day_of_report_is_the_sites_own_day(tx, claims):
    site = tx.get_one(Site, (claims.light.dealer_id, claims.light.site_id))
    tx.commit()
    do(tx, sa.update(Site).where(Site.id == site.id).values(time_zone="Asia/Tokyo"))
    late = datetime(2026, 5, 14, 23, 30, tzinfo=UTC)
    assert claims.claim(claims.open(at=late, failed_on=date(2026, 5, 15))).reported_on == date(2026, 5, 15)
    tx.rollback()


def test_the_same_key_and_content_is_one_claim_and_other_content_is_refused(tx, claims):
    ref = claims.open()
    assert claims.open() == ref
    refused(tx, "idempotency_key_reused", open_claim, **claims.opening(problem="Dark"))
    assert tx.scalar(sa.select(sa.func.count()).select_from(Claim)) == 1


def test_a_source_has_one_live_claim(tx, claims):
    ref = claims.open(quantity=None)
    again = claims.opening(idempotency_key="claim-2", quantity=1)
    assert refused(tx, "claim_open", open_claim, **again).details == {"claim": ref}
    withdraw_claim(tx, actor=claims.world.dealer, at=LATER, ref=ref, reason="Loose plug")
    assert open_claim(tx, **again).number == 2


def test_opening_refuses_what_does_not_hold_and_saves_nothing(tx, claims):
    refused(tx, "reason_required", open_claim, **claims.opening(problem=" "))
    refused(tx, "idempotency_key_missing", open_claim, **claims.opening(idempotency_key=""))
    for quantity in (0, 11):
        assert (
            refused(tx, "invalid_input", open_claim, **claims.opening(quantity=quantity)).field == "quantity"
        )
    for day in (LATER.date() + timedelta(days=1), TODAY - timedelta(days=1)):
        assert refused(tx, "invalid_input", open_claim, **claims.opening(failed_on=day)).field == "failed_on"
    stranger = make_account(tx, claims.world.program)
    refused(tx, "not_found", open_claim, **claims.opening(actor=stranger))
    refused(tx, "forbidden", open_claim, **claims.opening(actor=claims.world.program))
    viewer = colleague(tx, claims.world.dealer, Role.DEALER_VIEWER)
    refused(tx, "forbidden", open_claim, **claims.opening(actor=viewer))
    claims.world.take_back(claims.order_ref, quantities={claims.light.line_id: 10})
    refused(tx, "not_in_place", open_claim, **claims.opening())


# deciding ---------------------------------------------------------------------------------------


def test_what_is_covered_is_accepted_and_its_answer_is_kept_with_all_it_rests_on(tx, claims):
    ref = claims.accepted()
    claim = claims.claim(ref)
    assert (claim.state, claim.verdict, claim.is_goodwill) == (ClaimState.ACCEPTED, Verdict.COVERED, False)
    said = read_answer(claim.answer)
    assert (said.as_of, said.failed_on, said.reported_on) == (LATER, claim.failed_on, LATER.date())
    assert (said.facts.term.months, said.facts.standing.shipped_on) == (12, TODAY)
    assert any("ends" in reason or "end on" in reason for reason in said.coverage.reasons)
    assert holds(said)
    assert answer_json(said) == claim.answer
    witnessed = tx.scalars(sa.select(Evidence).where(Evidence.kind == EvidenceKind.CLAIM)).one()
    assert (witnessed.subject, witnessed.content_digest) == (ref, claim.answer_digest)
    assert claims.mails("accepted") == [email(tx, claims.world.dealer)]
    assert list(claim_faults(tx)) == []


def test_what_is_covered_cannot_be_refused(tx, claims):
    ref = claims.open()
    said = claims.deciding(ref, is_accepted=False, reason="No")
    assert refused(tx, "invalid_input", decide_claim, **said).field == "decision"


@pytest.mark.parametrize("is_accepted,state", [(False, ClaimState.REFUSED), (True, ClaimState.ACCEPTED)])
def test_what_is_not_covered_is_refused_or_accepted_as_goodwill_with_a_reason(tx, claims, is_accepted, state):
    late = datetime(2027, 8, 1, 15, 0, tzinfo=UTC)
    ref = claims.open(at=late, failed_on=None)
    said = claims.deciding(ref, at=late, is_accepted=is_accepted)
    refused(tx, "reason_required", decide_claim, **said)
    claim = decide_claim(tx, **said | {"reason": "Ended in May"})
    assert (claim.state, claim.verdict, claim.is_goodwill) == (state, Verdict.NOT_COVERED, is_accepted)
    assert list(claim_faults(tx)) == []


def test_an_undetermined_answer_decides_nothing_and_names_what_lacks(tx):
    world = make_world(tx)
    add_terms(tx, world.program, start_rule=StartRule.COMMISSIONED)
    claims = Claims(tx, world)
    ref = claims.open()
    for is_accepted in (True, False):
        no = refused(
            tx, "coverage_undetermined", decide_claim,
            **claims.deciding(ref, is_accepted=is_accepted, reason="Kind of us"),
        )  # fmt: skip
        assert no.details["lacking"] == Lacking.COMMISSIONED.value
        assert "Record the day it was commissioned." in no.message


def test_a_decision_is_made_once_and_the_same_one_twice_is_one(tx, claims):
    ref = claims.accepted()
    before = claims.claim(ref).decided_at
    assert decide_claim(tx, **claims.deciding(ref, at=LATER + timedelta(hours=1))).decided_at == before
    refused(tx, "not_pending", decide_claim, **claims.deciding(ref, is_accepted=False, reason="No"))
    other = colleague(tx, claims.world.account, Role.ACCOUNT_BUILDER)
    refused(tx, "not_pending", decide_claim, **claims.deciding(ref, actor=other))


def test_only_the_account_that_sold_it_decides_and_fulfils(tx, claims):
    ref = claims.open()
    for operation, said in ((decide_claim, claims.deciding(ref)), (fulfil_claim, claims.fulfilling(ref))):
        refused(tx, "not_found", operation, **said | {"actor": make_account(tx, claims.world.program)})
        installer = colleague(tx, claims.world.account, Role.ACCOUNT_INSTALLER)
        for actor in (claims.world.dealer, claims.world.program, installer):
            refused(tx, "forbidden", operation, **said | {"actor": actor})


def test_later_events_and_terms_change_no_decided_answer_and_are_listed_apart(tx, claims):
    ref = claims.accepted()
    claim = claims.claim(ref)
    before = claim.answer
    source = tx.get_one(InstalledSource, (claim.dealer_id, claim.source_id))
    world = claims.world
    add_terms(tx, world.program, months=1, at=LATER + timedelta(days=1))
    record_source_event(
        tx, actor=world.account, at=LATER + timedelta(days=2), ref=claims.ref_of(source), event_count=None,
        kind=SourceEventKind.DELIVERED, happened_on=TODAY + timedelta(days=1), reason="", site_number=None,
        room="",
    )  # fmt: skip
    tx.flush()
    page = claim_page(tx, viewer=world.dealer, at=LATER + timedelta(days=900), ref=ref)
    assert (answer_json(page.answer), page.verdict) == (before, Verdict.COVERED)
    assert [event.kind for event in page.later] == [SourceEventKind.DELIVERED]
    assert list(claim_faults(tx)) == []


@pytest.mark.parametrize(
    "values",
    ["answer = 'x'", "verdict = 'not_covered'", "is_goodwill = true", "reason = 'x'", "decided_at = NULL"],
)
def test_the_database_itself_changes_no_decided_answer(tx, claims, values):
    claims.accepted()
    tx.commit()
    for statement in (f"UPDATE claim SET {values}", "UPDATE claim SET problem = 'x'", "DELETE FROM claim"):
        with pytest.raises(DBAPIError, match="immutable|append_only"):
            tx.execute(sa.text(statement))
        tx.rollback()


# fulfilling -------------------------------------------------------------------------------------


def test_a_replacement_is_ordered_without_approval_or_credit_and_becomes_a_source(tx, claims):
    ref = claims.accepted()
    credit = tx.scalar(sa.select(sa.func.count()).select_from(LedgerEntry))
    approvals = tx.scalar(sa.select(sa.func.count()).select_from(Approval))
    claim = fulfil_claim(tx, **claims.fulfilling(ref))
    new = tx.get_one(InstalledSource, (claim.dealer_id, claim.new_source_id))
    assert (claim.state, claim.replacement_number, new.quantity) == (ClaimState.FULFILLED, 1, 2)
    assert (new.replacement_number, new.lacking) == (1, Lacking.REPLACES)
    assert tx.scalar(sa.select(sa.func.count()).select_from(LedgerEntry)) == credit
    assert tx.scalar(sa.select(sa.func.count()).select_from(Approval)) == approvals
    assert tx.scalars(sa.select(Replacement.reason)).one() == f"Claim {ref}: They flicker"
    assert fulfil_claim(tx, **claims.fulfilling(ref)) is claim
    assert tx.scalar(sa.select(sa.func.count()).select_from(Replacement)) == 1
    assert list(claim_faults(tx)) == []


def test_after_the_swap_the_new_units_have_what_is_left_of_the_warranty(tx, claims):
    ref = claims.accepted()
    fulfil_claim(tx, **claims.fulfilling(ref))
    day = LATER.date()
    swap_claim(tx, actor=claims.world.account, at=LATER, ref=ref, swapped_on=day)
    claim = claims.claim(ref)
    tx.expire_all()
    old, new = (
        tx.get_one(InstalledSource, (claim.dealer_id, each))
        for each in (claim.source_id, claim.new_source_id)
    )
    assert (old.standing, old.gone_on, new.replaces_id) == (Standing.REPLACED, day, old.id)
    period = warranty_of(facts_of(tx, claim.dealer_id, [new.id])[new.id])
    assert (period.starts_on, period.ends_on, new.ends_on) == (day, date(2027, 5, 3), date(2027, 5, 3))
    page = claim_page(tx, viewer=claims.world.dealer, at=LATER, ref=ref)
    assert (page.swapped_on, page.is_to_swap) == (day, False)
    refused(tx, "not_pending", swap_claim, actor=claims.world.account, at=LATER, ref=ref, swapped_on=day)


def test_the_day_of_the_swap_can_be_said_with_the_order(tx, claims):
    ref = claims.accepted()
    tomorrow = LATER.date() + timedelta(days=1)
    no = refused(tx, "invalid_input", fulfil_claim, **claims.fulfilling(ref, swapped_on=tomorrow))
    assert no.field == "swapped_on"
    fulfil_claim(tx, **claims.fulfilling(ref, swapped_on=LATER.date()))
    assert claim_page(tx, viewer=claims.world.dealer, at=LATER, ref=ref).swapped_on == LATER.date()


def test_a_claim_can_end_without_a_replacement_in_words(tx, claims):
    ref = claims.accepted()
    refused(tx, "reason_required", fulfil_claim, **claims.fulfilling(ref, is_replaced=False))
    said = claims.fulfilling(ref, is_replaced=False, words="Driver exchanged")
    refused(tx, "invalid_input", fulfil_claim, **said | {"swapped_on": LATER.date()})
    claim = fulfil_claim(tx, **said)
    assert (claim.state, claim.new_source_id, claim.closing_words) == (
        ClaimState.FULFILLED, None, "Driver exchanged",
    )  # fmt: skip
    assert claims.mails("fulfilled") == [email(tx, claims.world.dealer)]
    assert not tx.scalars(sa.select(Replacement)).all()
    refused(tx, "not_pending", swap_claim, actor=claims.world.account, at=LATER, ref=ref, swapped_on=TODAY)
    assert list(claim_faults(tx)) == []


def test_only_an_accepted_claim_of_what_is_in_place_is_fulfilled(tx, claims):
    ref = claims.open()
    refused(tx, "not_pending", fulfil_claim, **claims.fulfilling(ref))
    decide_claim(tx, **claims.deciding(ref))
    claims.world.take_back(claims.order_ref, at=LATER, quantities={claims.light.line_id: 10})
    refused(tx, "not_in_place", fulfil_claim, **claims.fulfilling(ref))


def test_a_replacement_that_fails_is_claimed_and_replaced_again(tx, claims):
    ref = claims.accepted()
    fulfil_claim(tx, **claims.fulfilling(ref, swapped_on=LATER.date()))
    new = tx.get_one(InstalledSource, (claims.light.dealer_id, claims.claim(ref).new_source_id))
    again = claims.open(
        ref=claims.ref_of(new),
        quantity=1,
        failed_on=None,
        idempotency_key="again",
        at=LATER + timedelta(days=9),
    )
    decide_claim(tx, **claims.deciding(again, at=LATER + timedelta(days=9)))
    claim = fulfil_claim(tx, **claims.fulfilling(again, at=LATER + timedelta(days=9)))
    assert claim.replacement_number == 2
    assert list(claim_faults(tx)) == []


# taking back ------------------------------------------------------------------------------------


def test_the_side_that_opened_a_claim_takes_it_back_with_a_reason(tx, claims):
    ref, world = claims.open(), claims.world
    said = {"actor": world.dealer, "at": LATER, "ref": ref, "reason": "Loose plug"}
    refused(tx, "reason_required", withdraw_claim, **said | {"reason": ""})
    refused(tx, "forbidden", withdraw_claim, **said | {"actor": world.account})
    refused(tx, "forbidden", withdraw_claim, **said | {"actor": world.program})
    refused(tx, "not_found", withdraw_claim, **said | {"actor": make_account(tx, world.program)})
    mate = colleague(tx, world.dealer, Role.DEALER_ADMIN)
    claim = withdraw_claim(tx, **said | {"actor": mate})
    assert (claim.state, claim.closing_words) == (ClaimState.WITHDRAWN, "Loose plug")
    assert withdraw_claim(tx, **said) is claim
    assert len(claims.mails("withdrawn")) == 2
    refused(tx, "not_pending", withdraw_claim, **said | {"reason": "Other"})
    refused(tx, "not_pending", decide_claim, **claims.deciding(ref))
    assert list(claim_faults(tx)) == []


# reading ----------------------------------------------------------------------------------------


def test_each_side_lists_its_own_claims_and_the_program_all(tx, claims):
    ref = claims.open()
    stranger = make_account(tx, claims.world.program)
    for viewer, count in (
        (claims.world.dealer, 1), (claims.world.account, 1), (claims.world.program, 1), (stranger, 0),
    ):  # fmt: skip
        assert len(claims_page(tx, viewer=viewer).rows) == count
    (row,) = claims_page(tx, viewer=claims.world.dealer, asked=ClaimFilter(state=ClaimState.OPEN)).rows
    assert (row.ref, row.quantity, row.model_number) == (ref, 2, "D3-LIGHT")
    assert not claims_page(tx, viewer=claims.world.dealer, asked=ClaimFilter(model="D3-TRIM")).rows
    refused(tx, "not_found", claim_page, viewer=stranger, at=LATER, ref=ref)


@pytest.mark.parametrize(
    "statement,fault",
    [
        (sa.update(Claim).values(problem="Broken by us"), "does not recompute to its digest"),
        (sa.update(Claim).values(is_goodwill=True), "its state does not fit: accepted"),
        (sa.update(Claim).values(state=ClaimState.OPEN), "its state does not fit: open"),
        (sa.delete(Evidence).where(Evidence.kind == EvidenceKind.CLAIM), "is not what the evidence of its day says"),
        (sa.delete(Claim), "is in the evidence, but not decided"),
    ],
)  # fmt: skip
def test_verification_finds_a_changed_claim(tx, claims, statement, fault):
    claims.accepted()
    do(tx, statement)
    assert fault in {each.split(": ", 1)[1] for each in claim_faults(tx)}


def test_verification_finds_an_answer_that_does_not_follow_from_its_facts(tx, claims):
    ref = claims.accepted()
    said = json.loads(claims.claim(ref).answer)
    said["answer"]["facts"]["term"]["months"] = 1
    said["answer"]["facts"]["standing"]["shipped_on"] = "2025-01-01"
    forged = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for text, fault in ((forged, "its answer does not follow"), ("{}", "its answer cannot be read")):
        do(tx, sa.update(Claim).values(answer=text))
        assert any(fault in each for each in claim_faults(tx))


def test_verification_finds_an_open_claim_that_says_something_else(tx, claims):
    claims.open()
    do(tx, sa.update(Claim).values(failed_on=TODAY))
    assert [each.split(": ")[1] for each in claim_faults(tx)] == [
        "was opened otherwise than the audit trail tells"
    ]


def test_events_of_a_source_are_as_before_a_claim_that_took_them_apart(tx, claims):
    claims.open()
    kinds = tx.scalars(
        sa.select(SourceEvent.kind).where(SourceEvent.source_id != claims.light.id, SourceEvent.is_inherited)
    ).all()
    assert SourceEventKind.SHIPPED in kinds


# pages and API ----------------------------------------------------------------------------------


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def shipped(tx, world):
    """What the claims of pages are of: an order of today, with terms."""
    add_terms(tx, world.program)
    _, ref = world.order(world.approve(world.submit(at=NOW), at=NOW), at=NOW)
    world.ship(ref, at=NOW, shipped_on=read(today, NOW))
    return tx.scalars(sa.select(InstalledSource).where(InstalledSource.model_number == "D3-LIGHT")).one()


def test_from_a_failure_to_the_replacement_in_its_place_on_pages(client, tx, world, shipped):
    u = str(PublicNumber("U", world.dealer.company_code, shipped.number))
    client.sign_in(user_of(tx, world.dealer)).get(f"/sources/{u}/claim")
    client.submit("Open the claim", {"quantity": "11", "problem": "Dark"}, status=422)
    assert not tx.scalars(sa.select(Claim)).all()
    shown = client.submit("Open the claim", {"quantity": "2", "problem": "Dark"})
    ref = f"C-{world.dealer.company_code}-1"
    assert f"{ref} is open" in shown.text
    assert "decides it" in shown.text
    client.get(f"/claims/{ref}/decide", status=403)
    client.sign_in(user_of(tx, world.account)).get("/")
    client.get(f"/claims/{ref}")
    client.click("Decide it")
    client.submit("Accept the claim", {"decision": "accept"})
    client.click("Make it good")
    assert "no approval, no credit" in client.page.text
    assert "credit stays as it is" in client.page.text
    client.submit("Yes, make it good", {})
    assert "Replacement 1 is ordered" in client.page.text
    client.click("Say when it was swapped")
    client.submit("It was swapped", {"swapped_on": "2099-01-01"}, status=422)
    client.submit("It was swapped", {"swapped_on": read(today, NOW).isoformat()})
    assert "has what is left of the warranty" in client.page.text
    client.get(f"/claims/{ref}/fulfil", status=409)
    assert ref in client.sign_in(user_of(tx, world.program)).get("/claims?state=fulfilled").text


def test_the_page_of_an_undetermined_claim_links_to_what_mends_it(client, tx, world, shipped):
    u = str(PublicNumber("U", world.dealer.company_code, shipped.number))
    add_terms(tx, world.program, start_rule=StartRule.COMMISSIONED, at=AT)
    open_claim(
        tx, actor=world.account, at=NOW, ref=u, quantity=None, problem="Dark", failed_on=None, idempotency_key="k"
    )  # fmt: skip
    shown = client.sign_in(user_of(tx, world.account)).get(f"/claims/C-{world.dealer.company_code}-1/decide")
    assert "cannot be decided yet" in shown.text
    assert f"/sources/{u}/record?kind=commissioned" in shown.html
    client.get(f"/claims/C-{world.dealer.company_code}-1")
    client.click("Take it back…")
    client.submit("Take it back", {"reason": "Loose plug"})
    assert "Taken back" in client.page.text


def test_the_api_opens_decides_and_fulfils_a_claim_with_the_same_refusals(call, tx, world, shipped):  # noqa: F811
    u = str(PublicNumber("U", world.dealer.company_code, shipped.number))
    said = {"quantity": 2, "problem": "Dark"}
    made = call("dealer", "POST", f"/sources/{u}/claims", said, 201, **keyed("k"))
    assert (made["state"], made["quantity"], made["answer"]["verdict"], made["answer_text"]) == (
        "open", 2, "covered", None,
    )  # fmt: skip
    assert call("dealer", "POST", f"/sources/{u}/claims", said, 201, **keyed("k"))["id"] == made["id"]
    assert call("dealer", "POST", f"/sources/{u}/claims", said, 422)["code"] == "idempotency_key_missing"
    place = f"/claims/{made['id']}"
    assert call("account", "POST", f"{place}/fulfilment", {"is_replaced": True}, 409)["code"] == "not_pending"
    call("dealer", "POST", f"{place}/decision", {"is_accepted": True}, 403)
    decided = call("account", "POST", f"{place}/decision", {"is_accepted": True})
    assert (decided["state"], decided["answer"]["is_frozen"]) == ("accepted", True)
    assert holds(read_answer(decided["answer_text"]))
    ended = call("account", "POST", f"{place}/fulfilment", {"is_replaced": True})
    assert (ended["state"], ended["replacement"], ended["swapped_on"]) == ("fulfilled", 1, None)
    day = read(today, NOW).isoformat()
    assert call("account", "POST", f"{place}/swap", {"swapped_on": day})["swapped_on"] == day
    assert call("dealer", "POST", f"{place}/withdrawal", {"reason": "No"}, 409)["code"] == "not_pending"
    (row,) = call("program", "GET", "/claims?state=fulfilled")["items"]
    assert (row["id"], row["account"]) == (made["id"], world.account.company_code)
