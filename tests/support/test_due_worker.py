"""The worker tells the desk of what is due, was missed or pages: each once, many in one batch, and no other call."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from referral.db import copy_rows, read, write
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Company
from referral.permissions import Role
from support.models.calls import CallEvent, CallNotice, ServiceCall
from support.operations.calls_recording import record_call_event
from support.operations.calls_telling import tell_of_due_calls
from support.queries.call_facts import call_event_columns, call_event_digest
from support.queries.call_jobs import CALLS_AT_ONCE, due_calls
from support.states import DueStatus
from tests.factories import make_user
from tests.support.call_ground import NOON, ONE, TWO, Kind, counted_statements, make_calls, ny, pacific

MOMENT = timedelta(microseconds=1)


@pytest.fixture
def calls(tx):
    return make_calls(tx)


@pytest.fixture
def software(calls):
    calls.agree("deluxe", license_cents=5_000_000)
    return calls


def test_a_response_is_told_of_before_it_is_due_and_once_it_is_missed(calls):
    calls.agree("platinum")
    ref = calls.open()
    assert calls.work(ny(3, 9, 59)) == 0
    assert calls.work(ny(3, 10)) == 1
    assert calls.work(ny(3, 12)) == 0  # at the due instant it is in time
    assert calls.work(ny(3, 12) + MOMENT) == 1
    assert calls.work(ny(9, 12)) == 0
    assert calls.notices(ref) == [("due", "response", ny(3, 12)), ("missed", "response", ny(3, 12))]
    assert calls.call(ref).missed_count == 1
    assert calls.call(ref).notice_at is None
    (soon,), (missed,) = calls.mails("Due soon: "), calls.mails("Missed: ")
    assert soon.recipient == missed.recipient == calls.world.program.email
    assert (soon.is_digestible, missed.is_digestible) == (True, False)
    assert soon.path == f"/calls/{ref}"
    assert "2 h left" in soon.body
    assert calls.faults() == []


def test_a_pause_moves_what_is_told(calls):
    calls.agree("platinum")
    ref = calls.open()
    calls.record(ref, Kind.PAUSED, ny(2, 13))
    assert calls.work(ny(8, 12)) == 0
    calls.record(ref, Kind.RESUMED, ny(8, 13))
    assert calls.work(ny(9, 10)) == 1
    assert calls.notices(ref) == [("due", "response", ny(9, 12))]
    assert calls.faults() == []


def test_priority_1_at_night_pages_then_is_told_of_after_15_minutes_and_every_2_hours(software):
    calls = software
    ref = calls.open(at=pacific(2, 22, 40), priority=ONE)
    assert calls.work(pacific(2, 22, 40)) == 1
    (page,) = calls.mails("PAGE NOW: ")
    assert (page.recipient, page.is_digestible) == (calls.world.program.email, False)
    calls.record(ref, Kind.CONFIRMED, pacific(2, 22, 50))
    told_at = []
    for minute in range(0, 8 * 60, 5):
        at = pacific(2, 22, 50) + timedelta(minutes=minute) + MOMENT
        if calls.work(at):
            told_at.append(minute)
    missed = [(key, due) for kind, key, due in calls.notices(ref) if kind == "missed"]
    assert missed == [
        ("p1-notice", pacific(2, 23, 5)),
        ("p1-follow-up", pacific(3, 0, 50)),
        ("p1-follow-up", pacific(3, 2, 50)),
        ("p1-follow-up", pacific(3, 4, 50)),
    ]
    assert {15, 120, 240, 360} <= set(told_at)
    assert not calls.call(ref).is_paging  # the desk opened at six
    assert ("opened", "page", pacific(3, 6)) in calls.notices(ref)
    assert calls.faults() == []
    calls.record(ref, Kind.RESOLVED, pacific(3, 6, 55))
    assert calls.work(pacific(4, 12)) == 0
    assert calls.faults() == []


def test_what_is_done_in_time_is_not_told_of_as_missed(software):
    calls = software
    ref = calls.open(at=pacific(2, 22, 40), priority=ONE)
    calls.work(pacific(2, 22, 40))
    calls.record(ref, Kind.CONFIRMED, pacific(2, 22, 50))
    calls.record(ref, Kind.NOTIFIED, pacific(2, 22, 55))
    for hour in range(4):
        at = pacific(2, 22, 50) + timedelta(hours=hour)
        calls.work(at)
        calls.record(ref, Kind.FOLLOWED_UP, at)
    assert "missed" not in {kind for kind, *_ in calls.notices(ref)}


def test_an_escalation_is_told_of_and_a_soft_target_only_ahead(software):
    calls = software
    ref = calls.open(at=pacific(2, 9), priority=TWO)
    for hour in range(60):
        calls.work(pacific(2, 9) + timedelta(hours=hour) + MOMENT)
    told = [(kind, key) for kind, key, _ in calls.notices(ref)]
    assert ("missed", "p2-escalation") in told
    assert ("due", "p2-target") in told
    assert ("missed", "p2-target") not in told
    assert ("missed", "p2-update") in told
    assert calls.faults() == []


def test_a_missed_target_does_not_stand_before_the_update_that_is_owed_next(software):
    calls = software
    ref = calls.open(at=pacific(2, 9), priority=TWO)
    calls.record(ref, Kind.ESCALATED, pacific(3, 8))
    for day in (4, 5):
        calls.record(ref, Kind.UPDATED, pacific(day, 8))
    page = calls.page(ref, at=pacific(5, 9))
    assert "p2-target" in {each.due.key for each in page.dues if each.due.status is DueStatus.MISSED}
    assert page.next_due.due.key == "p2-update"
    assert page.row.due_name == page.next_due.due.name
    assert page.row.due_at == page.next_due.due.due_at == pacific(6, 8)
    assert calls.faults() == []


def test_a_night_without_a_worker_is_one_mail_that_names_what_was_missed(software):
    calls = software
    ref = calls.open(at=pacific(2, 22, 40), priority=ONE)
    calls.record(ref, Kind.CONFIRMED, pacific(2, 22, 50))
    calls.work(pacific(4, 22))
    (mail,) = calls.mails("Missed: ")
    assert "And 15 more." in mail.body
    assert calls.work(pacific(4, 22)) == 0
    assert calls.faults() == []


def test_everybody_of_the_desk_is_told_and_nobody_else(calls, tx):
    calls.agree("platinum")
    company = tx.get_one(Company, calls.world.program.company_id)
    second = make_user(tx, company, Role.PROGRAM_ADMIN)
    make_user(tx, company, Role.PROGRAM_AUDITOR)
    ref = calls.open()
    calls.work(ny(3, 10))
    wanted = {calls.world.program.email, second.email}
    assert {mail.recipient for mail in calls.mails("Due soon: ")} == wanted
    assert len(calls.mails("Due soon: ")) == 2
    assert len(calls.notices(ref)) == 1


def test_a_thousand_due_calls_are_one_batch_and_others_are_not_touched(calls, tx):
    calls.agree("platinum")
    refs = [calls.open() for _ in range(3)]
    paused = calls.open()
    calls.record(paused, Kind.PAUSED, NOON)
    copy_calls(tx, calls.call(refs[0]), 1_100)
    later = calls.call(calls.open(at=ny(3, 12)))
    tx.flush()
    untouched = {call.id: row_of(call) for call in (calls.call(paused), later)}
    due = due_calls(tx, at=ny(3, 10))
    assert due == [calls.world.dealer.company_id] * 2
    with counted_statements(tx) as few:
        assert tell_of_due_calls(tx, actor=None, at=ny(3, 10), dealer_id=due[0]) == CALLS_AT_ONCE
        tx.flush()
    assert len(few) < 40
    assert tell_of_due_calls(tx, actor=None, at=ny(3, 10), dealer_id=due[0]) == 103
    assert tell_of_due_calls(tx, actor=None, at=ny(3, 10), dealer_id=due[0]) == 0
    tx.expire_all()
    assert {
        call_id: row_of(tx.get_one(ServiceCall, (later.dealer_id, call_id))) for call_id in untouched
    } == untouched
    assert tx.scalar(sa.select(sa.func.count()).select_from(CallNotice)) == 1_103


def test_two_workers_at_once_tell_once(calls, tx, app):
    calls.agree("platinum")
    for _ in range(12):
        calls.open()
    dealer_id = calls.world.dealer.company_id
    answers = together(
        tx, app, *([(tell_of_due_calls, {"actor": None, "at": ny(3, 10), "dealer_id": dealer_id})] * 2)
    )
    assert sorted(answers) == [0, 12]
    assert tx.scalar(sa.select(sa.func.count()).select_from(CallNotice)) == 12
    assert len(calls.mails("Due soon: ")) == 12


def test_of_two_events_at_once_one_is_stale(calls, tx, app):
    calls.agree("platinum")
    for _ in range(6):
        ref = calls.open()
        said = [
            calls.saying(ref, kind, NOON, words=word)
            for kind, word in ((Kind.RESPONDED, "a"), (Kind.NOTED, "b"))
        ]
        answers = together(tx, app, *((record_call_event, each) for each in said))
        assert [each.code for each in answers if isinstance(each, Refusal)] == ["stale_call"]
        assert len(calls.events(ref)) == 2


def test_a_worker_that_is_killed_loses_and_repeats_nothing(calls, tx):
    calls.agree("platinum")
    ref = calls.open()
    tx.commit()

    def killed(session, **said):
        tell_of_due_calls(session, **said)
        session.flush()
        raise KeyboardInterrupt

    said = {"actor": None, "at": ny(3, 10), "dealer_id": calls.world.dealer.company_id}
    with pytest.raises(KeyboardInterrupt):
        write(killed, **said)
    assert read(lambda session: session.scalar(sa.select(sa.func.count()).select_from(CallNotice))) == 0
    assert write(tell_of_due_calls, **said) == 1
    assert write(tell_of_due_calls, **said) == 0
    tx.expire_all()
    assert calls.notices(ref) == [("due", "response", ny(3, 12))]


def copy_calls(tx, call, times):
    """As many calls as that one, each with its opening."""
    (event,) = tx.scalars(sa.select(CallEvent).where(CallEvent.call_id == call.id))
    columns = {column.name: getattr(call, column.name) for column in ServiceCall.__table__.columns}
    made, events = [], []
    for number in range(times):
        said = columns | {"id": new_id(), "number": 1_000 + number, "idempotency_key": f"copy-{number}"}
        made.append(said)
        opening = call_event_columns(event) | {"call_id": said["id"]}
        events.append(opening | {"digest": call_event_digest(opening)})
    copy_rows(tx, ServiceCall, made)
    copy_rows(tx, CallEvent, events)


def together(tx, app, *writes):
    """Write from threads that start together; answers and refusals in order."""
    tx.commit()
    gate, answers = threading.Barrier(len(writes)), [None] * len(writes)

    def one(place):
        operation, said = writes[place]
        with app.app_context():
            gate.wait(60)
            try:
                answers[place] = write(operation, **said)
            except Refusal as refusal:
                answers[place] = refusal

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(writes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tx.expire_all()
    return answers


def row_of(call):
    return tuple(getattr(call, column.name) for column in ServiceCall.__table__.columns)
