"""Warranty terms: recorded with where they come from, never overwritten, and read by the sources they are for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from referral.db import write
from referral.models import AuditEvent
from tests.factories import AT, everything, make_world, refused, user_of
from tests.tampering import do
from tests.tokens import token_of
from warranty.models.sources import InstalledSource, SerialNumber, Site, SourceEvent
from warranty.models.terms import TermReading, WarrantyTerm
from warranty.operations import jobs
from warranty.operations.jobs import follow_orders, read_terms
from warranty.operations.terms import set_term
from warranty.queries.jobs import orders_due, terms_due
from warranty.queries.terms import newest_term_at, term_effect, terms_page
from warranty.queries.verification import warranty_faults
from warranty.rules.terms import TermInput
from warranty.states import Lacking, StartRule

TERMS = TermInput(
    family="D3",
    valid_from=date(2026, 1, 1),
    months=60,
    start_rule=StartRule.SHIPPED,
    cap_days=None,
    covers_parts=True,
    covers_labor=False,
    report_days=30,
    replacement_days=90,
    source="Program sheet, page 2",
    reason="First terms",
)
TYPED = {
    "family": "D3",
    "valid_from": "2026-01-01",
    "months": "60",
    "start_rule": "shipped",
    "covers_parts": "y",
    "report_days": "30",
    "replacement_days": "90",
    "source": "Program sheet, page 2",
    "reason": "First terms",
}


@pytest.fixture
def world(tx):
    return make_world(tx)


def setting(world, **changes):
    """What `set_term` takes."""
    return {"actor": world.program, "at": AT, "said": replace(TERMS, **changes)}


def record(tx, world, **changes):
    return set_term(tx, **setting(world, **changes))


def terms(tx):
    return list(tx.scalars(sa.select(WarrantyTerm).order_by(WarrantyTerm.set_at)))


def source(tx, model_number="D3-LIGHT"):
    tx.expire_all()
    return tx.scalars(
        sa.select(InstalledSource)
        .where(InstalledSource.model_number == model_number)
        .order_by(InstalledSource.number)
        .limit(1)
    ).one()


def shipped(world, tx, at=AT):
    _, ref = world.order()
    world.ship(ref, at=at)
    return source(tx)


def read_all(tx, world):
    """What the worker does for every key that is due."""
    return [read_terms(tx, actor=None, at=AT, dealer_id=key) for key in terms_due(tx, at=AT)]


# recording ----------------------------------------------------------------------------------------


def test_terms_are_recorded_with_source_reason_person_and_instant(tx, world):
    term = record(tx, world, family=" d3 ")
    assert (term.family, term.family_key, term.months, term.source) == ("D3", "d3", 60, TERMS.source)
    assert (term.set_by, term.set_at, term.reason) == (world.program.user_id, AT, "First terms")
    (event,) = tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "warranty_term.set"))
    assert (event.subject, event.actor_id, event.details["term"]) == (
        "D3",
        world.program.user_id,
        str(term.id),
    )


def test_the_same_terms_again_are_one_row(tx, world):
    first = record(tx, world)
    assert record(tx, world).id == first.id
    assert len(terms(tx)) == 1
    record(tx, world, months=36)
    record(tx, world)
    assert [term.months for term in terms(tx)] == [60, 36, 60], "set back on purpose is recorded"


def test_each_terms_are_recorded_later_than_the_ones_before(tx, world):
    """Two clocks may differ; whoever has read the terms through an instant has missed none."""
    record(tx, world)
    late = set_term(tx, **(setting(world, months=36) | {"at": AT - timedelta(hours=1)}))
    assert late.set_at > terms(tx)[0].set_at
    assert newest_term_at(tx) == late.set_at


@pytest.mark.parametrize(
    ("code", "field", "changes"),
    [
        ("reason_required", "reason", {"reason": "  "}),
        ("invalid_input", "family", {"family": "Controls"}),
        ("invalid_input", "family", {"family": "No such"}),
        ("invalid_input", "months", {"months": 0}),
        ("invalid_input", "months", {"months": 601}),
        ("invalid_input", "cap_days", {"cap_days": 30}),
        ("invalid_input", "cap_days", {"start_rule": StartRule.DELIVERED, "cap_days": -1}),
        ("invalid_input", "report_days", {"report_days": 3651}),
        ("invalid_input", "replacement_days", {"replacement_days": -1}),
        ("invalid_input", "covers_parts", {"covers_parts": False}),
        ("invalid_input", "source", {"source": " "}),
    ],
)
def test_terms_that_cannot_hold_are_refused_and_nothing_is_saved(tx, world, code, field, changes):
    assert refused(tx, code, set_term, **setting(world, **changes)).field == field


@pytest.mark.parametrize("who", ["dealer", "account"])
def test_only_the_programs_admin_sets_terms(tx, world, who):
    refused(tx, "forbidden", set_term, **(setting(world) | {"actor": getattr(world, who)}))


# what they change ---------------------------------------------------------------------------------


def test_the_effect_counts_the_sources_ordered_in_the_terms_days(tx, world):
    shipped(world, tx)
    effect = term_effect(tx, said=TERMS)
    assert (effect.sources, effect.units, effect.undetermined, effect.until) == (2, 20, 2, None)
    later = term_effect(tx, said=replace(TERMS, valid_from=AT.date() + timedelta(days=1)))
    assert (later.sources, later.units) == (0, 0)
    record(tx, world, valid_from=AT.date())
    before = term_effect(tx, said=TERMS)
    assert (before.sources, before.until) == (0, AT.date()), "those orders have the later terms"
    assert term_effect(tx, said=replace(TERMS, valid_from=AT.date())).is_recorded


def test_families_of_the_price_list_without_terms_are_named(tx, world):
    assert terms_page(tx, at=AT).missing == ("D3", "L3I"), "controls have no warranty of this program"
    record(tx, world)
    page = terms_page(tx, at=AT)
    assert page.missing == ("L3I",)
    (family,) = page.families
    assert (family.family, family.current.term.months, family.rows[0].set_by) == (
        "D3",
        60,
        world.program.name,
    )


def test_the_page_marks_what_is_replaced_what_holds_today_and_until_when(tx, world):
    record(tx, world, months=12)
    record(tx, world)
    record(tx, world, valid_from=date(2027, 1, 1), months=24)
    (family,) = terms_page(tx, at=AT).families
    said = [(row.term.months, row.is_current, row.is_replaced, row.until) for row in family.rows]
    assert said == [
        (24, False, False, None),
        (60, True, False, date(2027, 1, 1)),
        (12, False, True, date(2027, 1, 1)),
    ]


# the worker ---------------------------------------------------------------------------------------


def test_sources_are_read_with_new_terms_by_the_worker(tx, world):
    assert shipped(world, tx).lacking is Lacking.TERMS
    record(tx, world)
    assert terms_page(tx, at=AT).waiting == 2
    assert terms_due(tx, at=AT) == [world.dealer.company_id]
    assert read_all(tx, world) == [2]
    assert (source(tx).lacking, source(tx).ends_on) == (None, date(2031, 5, 3))
    assert terms_page(tx, at=AT).waiting == 0
    assert terms_due(tx, at=AT) == []


def test_a_second_worker_reads_nothing_again(tx, world):
    shipped(world, tx)
    record(tx, world)
    read_all(tx, world)
    assert read_terms(tx, actor=None, at=AT, dealer_id=world.dealer.company_id) == 0


def test_sources_of_other_families_are_left_alone(tx, world):
    shipped(world, tx)
    record(tx, world, family="L3I")
    assert terms_page(tx, at=AT).waiting == 0
    assert read_all(tx, world) == [0]
    assert source(tx).lacking is Lacking.TERMS


def test_many_sources_are_read_in_several_transactions_and_new_terms_meanwhile_are_not_missed(
    tx, world, monkeypatch
):
    monkeypatch.setattr(jobs, "SOURCES_AT_ONCE", 1)
    monkeypatch.setattr("warranty.queries.jobs.SOURCES_AT_ONCE", 1)
    shipped(world, tx)
    record(tx, world)
    dealer_id = world.dealer.company_id
    assert terms_due(tx, at=AT) == [dealer_id] * 3
    assert read_terms(tx, actor=None, at=AT, dealer_id=dealer_id) == 1
    assert terms_page(tx, at=AT).waiting == 1
    assert list(warranty_faults(tx)) == [], "half read is no fault: the rest stands as of the terms before"
    record(tx, world, months=24)
    while terms_due(tx, at=AT):
        read_terms(tx, actor=None, at=AT, dealer_id=dealer_id)
    assert {row.ends_on for row in tx.scalars(sa.select(InstalledSource))} == {date(2028, 5, 3)}
    assert list(warranty_faults(tx)) == []


def test_a_source_made_after_the_terms_has_them_at_once(tx, world):
    record(tx, world)
    assert shipped(world, tx, at=AT + timedelta(hours=1)).ends_on == date(2031, 5, 3)
    assert terms_page(tx, at=AT).waiting == 0


def unfollow(tx):
    """The database is as it was before there were installed sources."""
    do(
        tx,
        *(
            sa.delete(table.__table__)
            for table in (SourceEvent, SerialNumber, TermReading, InstalledSource, Site)
        ),
    )
    tx.flush()


def test_orders_from_before_get_their_sources_with_returns_and_replacements(tx, world):
    _, ref = world.order()
    world.ship(ref)
    world.take_back(ref, quantities={source(tx).line_id: 2})
    before = [
        (row.model_number, row.quantity, row.standing, row.shipped_on)
        for row in tx.scalars(sa.select(InstalledSource).order_by(InstalledSource.number))
    ]
    unfollow(tx)
    assert any("flask warranty follow" in fault for fault in warranty_faults(tx))
    dealer_id = world.dealer.company_id
    assert orders_due(tx, at=AT) == [dealer_id]
    assert follow_orders(tx, actor=None, at=AT, dealer_id=dealer_id) == 3
    after = [
        (row.model_number, row.quantity, row.standing, row.shipped_on)
        for row in tx.scalars(sa.select(InstalledSource).order_by(InstalledSource.number))
    ]
    assert after == before
    assert orders_due(tx, at=AT) == []
    assert follow_orders(tx, actor=None, at=AT, dealer_id=dealer_id) == 0, (
        "of two workers the second finds nothing"
    )
    assert list(warranty_faults(tx)) == []


# the doors ----------------------------------------------------------------------------------------


def test_the_page_leads_from_a_family_without_terms_over_what_changes_to_its_terms(tx, world, client):
    shipped(world, tx)
    tx.commit()
    client.sign_in(user_of(tx, world.program))
    page = client.get("/warranty/terms")
    assert "2 families without terms" in page.text
    client.click("Set terms of D3")
    page = client.submit("See what it changes", TYPED | {"valid_from": "2026-01-01"}, status=200)
    assert "This changes 2 installed sources" in page.text
    assert "20 units; 2 of them are undetermined" in page.text
    assert terms(tx) == [], "nothing is recorded before it is confirmed"
    page = client.submit("Change them", status=200)
    assert page.tree.find(".//input[@name='months']").get("value") == "60"
    client.submit("See what it changes", {"months": "36"}, status=200)
    page = client.submit("Record these terms")
    assert "The warranty terms of D3 are recorded." in page.text
    assert "2 installed sources wait to be read" in page.text
    assert "Program sheet, page 2" in page.text
    assert [term.months for term in terms(tx)] == [36]


def test_a_refusal_stands_beside_its_field_and_saves_nothing(tx, world, client):
    tx.commit()
    client.sign_in(user_of(tx, world.program))
    for confirmed in ("", "yes"):
        page = client.post(
            "/warranty/terms/new", TYPED | {"cap_days": "10", "confirmed": confirmed}, status=422
        )
        assert "never late" in page.text
    client.post("/warranty/terms/new", TYPED | {"family": "Controls"}, status=422)
    client.post("/warranty/terms/new", {"confirmed": "yes"}, status=422)
    assert terms(tx) == []


def test_dealers_and_accounts_do_not_see_the_settings_page(tx, world, client):
    tx.commit()
    for viewer in (world.dealer, world.account):
        client.sign_in(user_of(tx, viewer))
        client.get("/warranty/terms", status=403)


def test_the_api_lists_and_records_terms(tx, world, client):
    token = token_of(tx, world.program)
    tx.commit()
    body = {
        "family": "D3", "valid_from": "2026-01-01", "months": 60, "start_rule": "delivered", "cap_days": 90,
        "covers_parts": True, "covers_labor": True, "report_days": 30, "replacement_days": 0, "source": "Sheet",
        "reason": "First",
    }  # fmt: skip
    made = client.api("POST", "/api/v1/warranty/terms", body, token=token, status=201).json
    assert (made["months"], made["start_rule"], made["cap_days"]) == (60, "delivered", 90)
    again = client.api("POST", "/api/v1/warranty/terms", body, token=token, status=201).json
    assert again == made
    client.api("POST", "/api/v1/warranty/terms", body | {"months": 0}, token=token, status=422)
    client.api("POST", "/api/v1/warranty/terms", body | {"family": "Controls"}, token=token, status=422)
    listed = client.api("GET", "/api/v1/warranty/terms", token=token).json
    assert listed["families_without_terms"] == ["L3I"]
    assert [row["is_current"] for row in listed["items"][0]["terms"]] == [True]
    dealer = token_of(tx, world.dealer)
    tx.commit()
    client.api("POST", "/api/v1/warranty/terms", body, token=dealer, status=403)
    assert len(terms(tx)) == 1


def test_the_command_line_records_lists_and_follows(tx, world, app):
    shipped(world, tx)
    email = user_of(tx, world.program).email
    tx.commit()
    run = app.test_cli_runner().invoke
    said = [
        "warranty", "set-term", "D3", "--from", "2026-01-01", "--months", "60", "--start", "shipped", "--parts",
        "--no-labor", "--report-days", "30", "--replacement-days", "90", "--source", "Sheet", "--reason", "First",
        "--as", email,
    ]  # fmt: skip
    checked = run(args=[*said, "--check"])
    assert "2 installed sources with 20 units" in checked.output, checked.output
    assert terms(tx) == []
    tx.commit()
    assert run(args=said).exit_code == 0
    assert "recorded already" in run(args=said).output
    listed = run(args=["warranty", "terms"]).output
    assert "* from 2026-01-01: 60 months from shipped; parts" in listed
    assert "L3I\n  no terms" in listed
    assert "2 installed sources wait" in listed
    followed = run(args=["warranty", "follow"])
    assert "0 installed sources made or voided, 2 read otherwise" in followed.output, followed.output
    assert source(tx).ends_on == date(2031, 5, 3)
    tx.commit()
    wrong = run(args=[*said[:3], "--from", "2026-02-01", *said[5:-1], world.dealer.email])
    assert wrong.exit_code == 1
    assert "forbidden" in wrong.output


def test_new_terms_leave_everything_but_their_rows_as_it_was(tx, world):
    shipped(world, tx)
    before = everything(tx)
    tx.commit()
    write(set_term, **setting(world))
    tx.expire_all()
    after = everything(tx)
    assert {name for name in after if after[name] != before[name]} == {"warranty_term", "audit_event"}
