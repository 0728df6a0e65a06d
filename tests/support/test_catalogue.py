"""Loading the catalogue: versions, what refuses a file, and that nothing sold changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from referral.db import db, read, write
from referral.errors import Refusal
from referral.models import AuditEvent
from support.models.catalogue import CatalogueEntry
from support.operations.catalogue import load_catalogue
from support.queries.catalogue import content_of, entries_for, entry_for, offer_by_id
from support.queries.catalogue_pages import all_offers
from support.queries.catalogue_verification import catalogue_faults
from support.rules.catalogue import Change
from support.schemas.catalogue import read_catalogue, shipped_catalogue
from support.states import EntryKind
from tests.factories import AT, SINCE, make_agreement, make_catalogue, make_program, make_world, refused
from tests.support.catalogue_files import BRONZE, as_bytes, as_catalogue, entry, only, shipped
from tests.tampering import do

LATER = AT + timedelta(days=1)


@pytest.fixture
def program(tx):
    """Give the program's admin, with the shipped catalogue loaded."""
    admin = make_program(tx)
    make_catalogue(tx, admin)
    return admin


def loading(actor, said, **overrides):
    return {"actor": actor, "at": LATER, "catalogue": as_catalogue(said), "reason": "Newer"} | overrides


def names(changes: tuple[Change, ...]) -> list[tuple[str, int, str]]:
    return [(change.key, change.version, change.because) for change in changes]


def entries(tx):
    tx.expire_all()
    return tx.scalars(sa.select(CatalogueEntry).order_by(CatalogueEntry.key, CatalogueEntry.version)).all()


# versions -----------------------------------------------------------------------------------------


def test_the_shipped_file_is_loaded_complete_with_its_audit_event(tx):
    admin = make_program(tx)
    assert len(make_catalogue(tx, admin)) == 23
    assert {each.version for each in entries(tx)} == {1}
    (event,) = tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "catalogue.loaded"))
    assert (event.actor_id, event.subject) == (admin.user_id, "families, calendars, policies, offers")
    assert len(event.details["entries"]) == 23
    assert list(catalogue_faults(tx)) == []


def test_the_same_file_twice_changes_nothing(tx, program):
    before = [(each.id, each.digest) for each in entries(tx)]
    assert load_catalogue(tx, **loading(program, shipped())) == ()
    assert [(each.id, each.digest) for each in entries(tx)] == before
    assert len(tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "catalogue.loaded")).all()) == 1


def test_only_what_says_something_else_becomes_the_next_version(tx, program):
    said = shipped()
    entry(said, "policies", "first-available")["words"] = "When somebody comes."
    assert names(load_catalogue(tx, **loading(program, said))) == [("first-available", 2, "")]
    assert len(entries(tx)) == 24
    assert list(catalogue_faults(tx)) == []


def test_an_offer_that_includes_a_changed_one_becomes_new_with_it(tx, program):
    said = shipped()
    entry(said, "offers", "silver")["grants"][0]["words"] = "Labor of finding out."
    changes = load_catalogue(tx, **loading(program, only(offers=[entry(said, "offers", "silver")])))
    assert names(changes) == [("silver", 2, ""), ("gold", 2, "silver"), ("platinum", 2, "silver")]
    old = entry_for(tx, EntryKind.OFFER, "gold", at=AT)
    new = entry_for(tx, EntryKind.OFFER, "gold", at=LATER)
    assert (old.version, new.version) == (1, 2)
    assert "finding out" not in offer_by_id(tx, old.id).grant("labor").words
    assert offer_by_id(tx, new.id).grant("labor").words == "Labor of finding out."
    assert load_catalogue(tx, **loading(program, said)) == (), "and not again"


def test_a_changed_calendar_or_policy_leaves_the_version_before_as_it_was(tx, program):
    before = {each.id: (each.content, each.digest) for each in entries(tx)}
    said = shipped()
    calendar = entry(said, "calendars", "site-hours")
    calendar["observed"] = "none"
    calendar["dates"] = [{"on": "2027-03-01", "name": "St David's Day", "source": "Test"}]
    (change,) = load_catalogue(tx, **loading(program, said))
    assert {each.id: (each.content, each.digest) for each in entries(tx) if each.id in before} == before
    old = content_of(entry_for(tx, EntryKind.CALENDAR, "site-hours", at=AT))
    new = content_of(entry_for(tx, EntryKind.CALENDAR, "site-hours", at=LATER))
    assert (old["closed"].get("2026-07-03"), new["closed"].get("2026-07-03")) == (
        "Independence Day (observed)",
        None,
    )
    assert new["closed"]["2027-03-01"] == "St David's Day"
    assert {each.place for each in change.differences} == {"observed", "dates"}


def test_the_closed_days_alone_are_a_difference_too(tx, program):
    changed = Change(EntryKind.CALENDAR, "c", "C", 2, {"closed": {"2026-01-01": "N"}}, {"closed": {}})
    assert [(each.place, each.before, each.after) for each in changed.differences] == [
        ("closed", "0 days", "1 days")
    ]


def test_loads_within_one_instant_are_told_apart(tx, program):
    said = shipped()
    for words in ("Once.", "Twice."):
        entry(said, "offers", "silver")["words"] = words
        load_catalogue(tx, **loading(program, said, at=AT - timedelta(days=5000)))
    silver = [each for each in entries(tx) if each.key == "silver"]
    assert silver[0].loaded_at < silver[1].loaded_at < silver[2].loaded_at
    assert silver[0].loaded_at.date() == SINCE


def test_a_new_offer_needs_no_code(tx, program):
    load_catalogue(tx, **loading(program, only(offers=[BRONZE])))
    (bronze,) = [offer for offer in all_offers(tx, at=LATER) if offer.key == "bronze"]
    assert [(grant.key, grant.policy, grant.choice.value) for grant in bronze.grants] == [
        ("response", "first-available", "always"),
        ("tea", None, "tick"),
    ]
    assert (bronze.longest_months, bronze.is_sold) == (120, True)
    assert len(entries_for(tx, EntryKind.OFFER, at=LATER)) == 10


def test_an_offer_is_not_sold_any_more_by_saying_so(tx, program):
    said = shipped()
    entry(said, "offers", "silver")["is_sold"] = False
    load_catalogue(tx, **loading(program, said))
    offers = {offer.key: offer for offer in all_offers(tx, at=LATER)}
    assert not offers["silver"].is_sold
    assert offers["gold"].grant("parts") is not None


def test_what_was_agreed_keeps_its_version_when_a_later_one_is_loaded(tx):
    world = make_world(tx)
    make_catalogue(tx, world.program)
    agreement = make_agreement(world, offer_key="gold")
    before = offer_by_id(tx, agreement.offer_id), agreement.terms, agreement.terms_digest
    said = shipped()
    entry(said, "offers", "silver")["grants"][5]["quota"]["amount"] = 1
    entry(said, "offers", "gold")["grants"][0]["policy"] = "response-72h"
    assert len(load_catalogue(tx, **loading(world.program, said))) == 3
    tx.flush()
    tx.expire_all()
    assert (offer_by_id(tx, agreement.offer_id), agreement.terms, agreement.terms_digest) == before
    (newer,) = [offer for offer in all_offers(tx, at=LATER) if offer.key == "gold"]
    assert (newer.version, newer.grant("remote-programming").quota.amount) == (2, 1)


@pytest.mark.parametrize(
    "statement", ["UPDATE catalogue_entry SET content = '{}'", "DELETE FROM catalogue_entry"]
)
def test_the_database_refuses_to_change_or_remove_a_version(tx, program, statement):
    tx.commit()
    with pytest.raises(sa.exc.DBAPIError, match="append_only"):
        tx.execute(sa.text(statement))
    tx.rollback()


def test_the_number_of_statements_does_not_grow_with_the_versions(tx, program):
    def asked():
        found = []

        def note(*said):
            found.append(said)

        sa.event.listen(db.engine, "before_cursor_execute", note)
        all_offers(tx, at=LATER)
        sa.event.remove(db.engine, "before_cursor_execute", note)
        return len(found)

    before = asked()
    said = shipped()
    for words in ("A.", "B.", "C."):
        entry(said, "offers", "silver")["words"] = words
        load_catalogue(tx, **loading(program, said))
    tx.flush()
    assert asked() == before == 1


# who and why --------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["dealer", "account"])
def test_only_the_programs_admin_loads_a_catalogue(tx, who):
    world = make_world(tx)
    refused(tx, "forbidden", load_catalogue, **loading(getattr(world, who), shipped()))


def test_a_reason_is_needed(tx, program):
    refused(tx, "reason_required", load_catalogue, **loading(program, only(offers=[BRONZE]), reason=" "))


def test_the_command_line_loads_as_nobody_once_there_is_a_program(tx):
    refused(tx, "not_found", load_catalogue, **loading(None, shipped()))
    make_program(tx)
    tx.commit()
    write(load_catalogue, **loading(None, shipped()))
    assert {each.loaded_by for each in entries(tx)} == {None}
    assert read(lambda tx: list(catalogue_faults(tx))) == []


def test_two_at_once_load_each_version_once(tx, program, at_once):
    said = shipped()
    entry(said, "offers", "silver")["words"] = "Otherwise."
    answers = at_once(lambda: write(load_catalogue, **loading(program, said)), times=8)
    assert sorted(len(answer) for answer in answers) == [0] * 7 + [3]


# what refuses a file ------------------------------------------------------------------------------

GRANT = BRONZE["grants"][0]
CALENDAR = {"key": "c", "name": "C", "words": "w", "source": "s", "zone": "UTC",
            "windows": [{"weekdays": [0], "opens": "08:00", "closes": "17:00"}]}  # fmt: skip
POLICY = {"key": "p", "name": "P", "words": "w", "source": "s", "obligations": []}
OWED = {
    "key": "o",
    "name": "O",
    "anchor": "opened",
    "duration": {"elapsed_minutes": 5},
    "met_by": ["responded"],
}


def bronze(**changes):
    return only(offers=[BRONZE | changes])


def of_grant(**changes):
    return bronze(grants=[GRANT | changes])


SHAPES = {
    "offers[0].key": bronze(key="Bronze plan"),
    "offers[0].grants[0].quota.unit": of_grant(quota={"unit": "day"}),
    "offers[0].grants[0].quota.amount": of_grant(quota={"unit": "visit", "amount": 1.5}),
    "offers[0].grants[0].quota": of_grant(choice="count"),
    "offers[0].grants[0].quota.limits": of_grant(
        quota={"unit": "visit", "amount": 2, "limits": [{"name": "day", "amount": 1}] * 2}
    ),
    "offers[0].is_sold": bronze(is_sold="yes"),
    "offers[0].grants[0].policy": of_grant(policy=""),
    "offers[0].grants[0].windows": of_grant(windows="saturday"),
    "offers[0].grants[0].price_cents": of_grant(price_cents=5),
    "offers[0].grants[0].kind": of_grant(kind="gift"),
    "offers[0].grants[0].platforms[0]": of_grant(platforms=["toaster"]),
    "offers[0].schedules[0].days": bronze(schedules=[{"key": "s", "name": "S", "after": "start"}]),
    "offers[0].longest_months": bronze(longest_months=0),
    "offers[0].whole_years": bronze(whole_years="yes"),
    "offers[0].source": bronze(source=" "),
    "calendars[0].zone": only(calendars=[CALENDAR | {"zone": "Mars/Olympus"}]),
    "calendars[0].windows": only(calendars=[CALENDAR | {"windows": []}]),
    "calendars[0].windows[0].closes": only(
        calendars=[CALENDAR | {"windows": [{"weekdays": [0], "opens": "17:00", "closes": "08:00"}]}]
    ),
    "calendars[0].windows[0].weekdays[0]": only(
        calendars=[CALENDAR | {"windows": [{"weekdays": [7], "opens": "08:00", "closes": "17:00"}]}]
    ),
    "calendars[0].windows[0].opens": only(
        calendars=[CALENDAR | {"windows": [{"weekdays": [0], "opens": "8:00", "closes": "17:00"}]}]
    ),
    "calendars[0].holidays[0].month": only(
        calendars=[CALENDAR | {"holidays": [{"name": "H", "kind": "fixed", "month": 13, "day": 1}]}]
    ),
    "calendars[0].dates[0].on": only(
        calendars=[CALENDAR | {"dates": [{"on": "2027-02-30", "name": "N", "source": "S"}]}]
    ),
    "policies[0].obligations[0].duration.elapsed_minutes": only(
        policies=[POLICY | {"obligations": [OWED | {"duration": {"elapsed_minutes": 0}}]}]
    ),
    "policies[0].obligations[1].key": only(policies=[POLICY | {"obligations": [OWED, OWED]}]),
    "policies[0].obligations[0].anchor": only(
        policies=[POLICY | {"obligations": [OWED | {"anchor": "noted"}]}]
    ),
    "plans": only() | {"plans": []},
    "version": {"version": 2},
}


@pytest.mark.parametrize("place", SHAPES)
def test_a_wrong_value_is_named_by_its_place(place):
    with pytest.raises(Refusal) as caught:
        as_catalogue(SHAPES[place])
    assert caught.value.code == "catalogue_invalid"
    assert [problem.field for problem in caught.value.problems] == [place]


REFERENCES = {
    "offers[0].calendar": bronze(calendar="nowhere"),
    "offers[0].policies[0]": bronze(policies=["nothing"]),
    "offers[0].includes[0]": bronze(includes=["bronze"]),
    "offers[0].includes[1]": bronze(includes=["silver", "tin"]),
    "offers[0].grants[0].policy": of_grant(policy="nothing"),
    "offers[0].grants[0].families[0]": of_grant(families=["sofas"]),
    "offers[0].grants[1].windows": bronze(
        grants=[
            GRANT,
            {"key": "h", "kind": "hours", "name": "H", "words": "W", "chart": "C", "windows": "night"},
        ]
    ),
    "offers[0].grants[1].key": bronze(grants=[GRANT, GRANT]),
    "offers[0].requirements[1].key": bronze(requirements=[{"key": "r", "name": "R"}] * 2),
    "offers[0].schedules[0].after": bronze(schedules=[{"key": "s", "name": "S", "after": "tea", "days": 3}]),
    "offers[1].key": only(offers=[BRONZE, BRONZE]),
}


@pytest.mark.parametrize("place", REFERENCES)
def test_what_leads_nowhere_is_refused_and_nothing_is_saved(tx, program, place):
    refusal = refused(tx, "catalogue_invalid", load_catalogue, **loading(program, REFERENCES[place]))
    assert [problem.field for problem in refusal.problems] == [place]


def test_offers_that_include_each_other_are_refused_over_two_files_too(tx, program):
    load_catalogue(tx, **loading(program, bronze(includes=["silver"])))
    said = shipped()
    silver = entry(said, "offers", "silver") | {"includes": ["bronze"]}
    refusal = refused(tx, "catalogue_invalid", load_catalogue, **loading(program, only(offers=[silver])))
    assert [problem.field for problem in refusal.problems] == ["offers[0].includes[0]"]


def test_everything_wrong_is_said_at_once(tx, program):
    both = only(
        offers=[BRONZE | {"calendar": "a", "policies": ["b"]}, BRONZE | {"key": "tin", "includes": ["c"]}]
    )
    refusal = refused(tx, "catalogue_invalid", load_catalogue, **loading(program, both))
    assert len(refusal.problems) == 3
    with pytest.raises(Refusal) as caught:
        as_catalogue(only(offers=[BRONZE | {"key": "", "name": 5}], calendars=[{}]))
    assert len(caught.value.problems) >= 7


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"version": 1, "version": 1}', b'{"version": NaN}', b'{"version": 1e999}',
        b'{"version": ' + b"9" * 5000 + b"}", b"[" * 100_000, b" " * 1_100_000, b'{"version": 1, "offers": {}}',
        b'{"version": 1, "offers": [[]]}', b'{"version": 1, "offers": [null]}', b'{"version": 1, "offers": "x"}',
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused(content):
    with pytest.raises(Refusal) as caught:
        read_catalogue(content)
    assert caught.value.code == "catalogue_invalid"
    assert caught.value.problems


def test_texts_are_cleaned_of_what_no_database_keeps(tx, program):
    said = bronze(name="Bro\u0000nze\u202e", words="A\u0000\nB\ud800")
    load_catalogue(tx, **loading(program, said))
    tx.commit()
    (found,) = [each for each in entries(tx) if each.key == "bronze"]
    assert (found.name, content_of(found)["words"]) == ("Bro nze", "A\nB")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    section=st.sampled_from(["families", "calendars", "policies", "offers"]),
    value=_json,
    data=st.data(),
)
def test_whatever_stands_anywhere_in_the_file_is_read_or_refused(section, value, data):
    said = shipped()
    place = data.draw(st.sampled_from(said[section]))
    name = data.draw(st.sampled_from([*place, "more"]))
    if isinstance(place.get(name), list) and place[name] and isinstance(place[name][0], dict):
        place = data.draw(st.sampled_from(place[name]))
        name = data.draw(st.sampled_from([*place, "more"]))
    place[name] = value
    problems = []
    try:
        as_catalogue(said)
    except Refusal as refusal:
        problems = [(refusal.code, problem.message) for problem in refusal.problems]
    assert {code for code, _ in problems} <= {"catalogue_invalid"}
    assert all(message for _, message in problems)


# verification -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"content": "{}"}, "does not recompute to its digest"),
        ({"digest": "0" * 64}, "is not what the audit trail tells"),
        ({"name": "Golden"}, "has another key or name than it says"),
        ({"version": 3}, "follows no version right before it"),
        ({"reason": "Another"}, "is not what the audit trail tells"),
    ],
)
def test_a_version_that_was_tampered_with_is_found(tx, program, change, words):
    do(tx, sa.update(CatalogueEntry.__table__).where(CatalogueEntry.key == "gold").values(**change))
    tx.expire_all()
    assert any(words in fault for fault in catalogue_faults(tx))


def test_a_version_that_was_removed_is_found(tx, program):
    do(tx, sa.delete(CatalogueEntry.__table__).where(CatalogueEntry.key == "gold"))
    tx.expire_all()
    assert list(catalogue_faults(tx)) == ["catalogue, offer gold 1: is in the audit trail, but not there"]


def test_the_shipped_catalogue_has_every_kind():
    assert {each.kind for each in shipped_catalogue().entries} == set(EntryKind)
    assert as_bytes(shipped())
