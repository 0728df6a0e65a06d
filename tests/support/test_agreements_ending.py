"""Agreements that end: terminated from a day on, or continued by another, with the gap said before it happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from support.operations.agreements_deciding import withdraw_agreement
from support.operations.agreements_ending import renew_agreement, terminate_agreement
from support.queries.agreement_page import agreement_page
from support.queries.agreement_verification import agreement_faults
from support.queries.agreements_home import agreement_panels
from support.rules.agreements import gap_days, say_gap
from support.rules.catalogue import Catalogue
from support.schemas.catalogue import shipped_catalogue
from support.states import AgreementState
from tests.factories import AT, make_account, make_catalogue, make_dealer, refused
from tests.support.test_agreements import Agreements

TODAY = AT.date()
NEXT = TODAY.replace(year=2027)
"""The day after the last one of a year from TODAY."""


@pytest.fixture
def them(tx):
    return Agreements(tx)


def ending(them, agreement, **overrides):
    said = {
        "actor": them.world.dealer, "at": AT, "ref": them.ref_of(agreement),
        "last_on": TODAY + timedelta(days=30), "reason": "The house is sold",
    }  # fmt: skip
    return said | overrides


def renewing(them, agreement, **overrides):
    said = {
        "actor": them.world.dealer, "at": AT, "ref": them.ref_of(agreement), "starts_on": None,
        "months": None, "is_confirmed": False, "idempotency_key": "renew-1",
    }  # fmt: skip
    return said | overrides


# ending it before its time ----------------------------------------------------------------------


def test_a_terminated_agreement_ends_on_the_day_and_keeps_its_terms(tx, them):
    agreement = them.made(starts_on=TODAY)
    terms = agreement.terms
    said = ending(them, agreement)
    terminate_agreement(tx, **said)
    terminate_agreement(tx, **said)
    assert (agreement.state, agreement.last_on) == (AgreementState.TERMINATED, said["last_on"])
    assert agreement.terms == terms
    assert len(them.mails(" ends on ")) == 3
    assert not list(agreement_faults(tx))


def test_terminating_refuses_a_day_that_is_past_or_no_earlier_than_the_last_and_saves_nothing(tx, them):
    agreement = them.made(starts_on=TODAY)
    for day in (TODAY - timedelta(days=1), agreement.last_on, agreement.last_on + timedelta(days=1)):
        bad = ending(them, agreement, last_on=day)
        assert refused(tx, "invalid_input", terminate_agreement, **bad).field == "last_on"
    refused(tx, "reason_required", terminate_agreement, **ending(them, agreement, reason=" "))
    refused(tx, "forbidden", terminate_agreement, **ending(them, agreement, actor=them.world.account))
    stranger = make_dealer(tx, them.world.program)
    refused(tx, "not_found", terminate_agreement, **ending(them, agreement, actor=stranger))
    over = ending(them, agreement, at=AT + timedelta(days=400))
    refused(tx, "agreement_not_active", terminate_agreement, **over)


def test_what_is_not_accepted_is_not_terminated(tx, them):
    agreement = them.made(until="offered")
    refused(tx, "not_pending", terminate_agreement, **ending(them, agreement))


def test_one_that_starts_later_is_terminated_from_its_first_day_at_the_earliest(tx, them):
    agreement = them.made(starts_on=TODAY + timedelta(days=40))
    refused(tx, "invalid_input", terminate_agreement, **ending(them, agreement))
    first = ending(them, agreement, last_on=TODAY + timedelta(days=40))
    assert terminate_agreement(tx, **first).last_on == TODAY + timedelta(days=40)


# continuing it ----------------------------------------------------------------------------------


def test_a_renewal_continues_sites_and_choices_from_the_day_after(tx, them):
    old = them.made(starts_on=TODAY)
    new = renew_agreement(tx, **renewing(them, old))
    assert (new.state, new.starts_on, new.months, new.renews_id) == (AgreementState.DRAFT, NEXT, 12, old.id)
    assert (new.choices, new.customer, new.offer_id) == (old.choices, old.customer, old.offer_id)
    page = agreement_page(tx, viewer=them.world.dealer, at=AT, ref=them.ref_of(new))
    assert [site.term.ref for site in page.sites] == [them.site]
    assert (page.continues.ref, page.continues.gap) == (them.ref_of(old), "")
    assert not page.is_to_renew
    before = agreement_page(tx, viewer=them.world.dealer, at=AT, ref=them.ref_of(old))
    assert before.continued_by.ref == them.ref_of(new)
    assert renew_agreement(tx, **renewing(them, old)).id == new.id
    assert not list(agreement_faults(tx))


@pytest.mark.parametrize(
    ("starts_on", "gap", "words"),
    [
        (NEXT + timedelta(days=3), 3, "Nothing covers the sites from 4 May 2027 to 6 May 2027: 3 days"),
        (NEXT + timedelta(days=1), 1, "Nothing covers the sites on 4 May 2027: 1 day"),
        (NEXT - timedelta(days=2), -2, "Both agreements run from 2 May 2027 to 3 May 2027, so 2 days"),
        (NEXT - timedelta(days=1), -1, "Both agreements run on 3 May 2027, so 1 day"),
    ],
)
def test_a_gap_or_an_overlap_is_said_before_it_happens(tx, them, starts_on, gap, words):
    old = them.made(starts_on=TODAY)
    refusal = refused(tx, "not_confirmed", renew_agreement, **renewing(them, old, starts_on=starts_on))
    assert refusal.message.startswith(words)
    assert refusal.details == {"gap_days": gap}
    new = renew_agreement(tx, **renewing(them, old, starts_on=starts_on, is_confirmed=True))
    page = agreement_page(tx, viewer=them.world.dealer, at=AT, ref=them.ref_of(new))
    assert page.continues.gap.startswith(words)


def test_the_gap_of_a_terminated_agreement_counts_from_its_last_day():
    assert gap_days(date(2026, 5, 4), date(2026, 5, 5)) == 0
    assert say_gap(date(2026, 5, 4), date(2026, 5, 5)) == ""
    assert gap_days(date(2028, 2, 28), date(2028, 3, 1)) == 1


def test_an_agreement_is_continued_by_one_only_unless_that_is_withdrawn(tx, them):
    old = them.made(starts_on=TODAY)
    first = renew_agreement(tx, **renewing(them, old))
    ref = them.ref_of(first)
    again = renewing(them, old, idempotency_key="renew-2")
    assert refused(tx, "not_pending", renew_agreement, **again).details == {"agreement": ref}
    refused(tx, "idempotency_key_reused", renew_agreement, **renewing(them, old, months=24))
    withdraw_agreement(tx, actor=them.world.dealer, at=AT, ref=ref, reason="Other term")
    assert renew_agreement(tx, **again).renews_id == old.id


def test_renewing_refuses_what_is_not_accepted_or_not_sold_so_and_saves_nothing(tx, them):
    draft = them.made(until="draft")
    refused(tx, "not_pending", renew_agreement, **renewing(them, draft))
    old = them.made(starts_on=TODAY)
    refused(tx, "term_too_long", renew_agreement, **renewing(them, old, months=121))
    refused(tx, "idempotency_key_missing", renew_agreement, **renewing(them, old, idempotency_key=""))
    stranger = make_account(tx, them.world.program)
    refused(tx, "not_found", renew_agreement, **renewing(them, old, actor=stranger))


def test_a_renewal_takes_the_newest_version_of_the_offer_and_the_choices_that_it_still_has(tx, them):
    old = them.made(starts_on=TODAY)
    tx.flush()
    newer = without_ketra(tx, them)
    new = renew_agreement(tx, **renewing(them, old, at=AT + timedelta(days=1)))
    page = agreement_page(tx, viewer=them.world.dealer, at=AT + timedelta(days=1), ref=them.ref_of(new))
    assert page.offer.version == newer
    assert "parts-ketra" not in page.choices
    assert page.choices["response-48h"] == 2
    assert agreement_page(
        tx, viewer=them.world.dealer, at=AT + timedelta(days=1), ref=them.ref_of(old)
    ).is_outdated
    assert not list(agreement_faults(tx))


def without_ketra(tx, them):
    """The custom plan is loaded without the parts of Ketra on the day of AT; returns its version."""
    (entry,) = (each for each in shipped_catalogue().entries if each.key == "custom")
    grants = [grant for grant in entry.content["grants"] if grant["key"] != "parts-ketra"]
    changed = replace(entry, content={**entry.content, "grants": grants})
    (change,) = make_catalogue(tx, them.world.program, catalogue=Catalogue((changed,)), at=AT)
    return change.version


# the start page ---------------------------------------------------------------------------------


def test_the_start_page_names_what_is_to_be_priced_and_accepted_and_what_ends(tx, them):
    draft = them.made(until="draft")
    offered = them.made(until="offered")
    soon = them.made(starts_on=TODAY, months=1)
    them.made(starts_on=TODAY, months=24)

    def panels(viewer):
        return {
            panel.title: [row.ref for row in panel.rows]
            for panel in agreement_panels(tx, viewer=viewer, at=AT)
        }

    ends = {"Agreements that end soon": [them.ref_of(soon)]}
    assert panels(them.world.program) == {"Agreements to price": [them.ref_of(draft)]} | ends
    assert panels(them.world.dealer) == {"Agreements to accept": [them.ref_of(offered)]} | ends
    assert panels(them.world.account) == ends
    renew_agreement(tx, **renewing(them, soon))
    assert "Agreements that end soon" not in panels(them.world.account)
