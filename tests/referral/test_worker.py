"""The worker: over a real socket, killed and raced, stopped by a signal, with jobs that break off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextvars import Context
from datetime import timedelta
from email.headerregistry import Address
from pathlib import Path

import pytest
import sqlalchemy as sa

from referral.cli.worker import Pass, one_pass, run_jobs, send_mails
from referral.clock import now
from referral.db import read
from referral.mailkit import MailSettings, SmtpTransport, parse_mail_server
from referral.models import OutgoingMail
from referral.operations.jobs import Job
from referral.operations.records import queue_mail
from referral.permissions import CompanyKind
from tests.factories import make_company, make_program
from tests.mail_server import listening

SETTINGS = MailSettings(Address("Ledger", "ledger", "program.example"), "https://ledger.example")
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def server():
    with listening() as one:
        yield one


def owe(tx, *recipients):
    for recipient in recipients:
        queue_mail(tx, at=now(), recipient=recipient, subject="News", body="Words.\n", path="/quotes/Q-A-1")
        tx.flush()
    tx.commit()


def rows():
    return read(lambda tx: tx.scalars(sa.select(OutgoingMail).order_by(OutgoingMail.id)).all())


def never():
    return False


def work(server_or_transport, is_stopped=never):
    did = Pass()
    transport = server_or_transport
    if hasattr(server_or_transport, "url"):
        transport = SmtpTransport(parse_mail_server(server_or_transport.url))
    send_mails(transport, SETTINGS, did, is_stopped)
    transport.close()
    return did


def test_the_worker_sends_what_is_owed_over_one_connection(tx, server):
    owe(tx, "ann@house.example", "bob@house.example")
    assert str(work(server)) == "2 sent"
    assert server.recipients == ["ann@house.example", "bob@house.example"]
    assert server.connections == 1
    message = server.mails[0][1]
    assert message["Subject"] == "News"
    assert "https://ledger.example/quotes/Q-A-1" in message.get_body(("plain",)).get_content()
    assert 'href="https://ledger.example/quotes/Q-A-1"' in message.get_body(("html",)).get_content()
    assert all(row.sent_at and row.attempts == 1 for row in rows())
    assert str(work(server)) == ""


def test_one_bad_mail_never_blocks_the_others(tx, server):
    server.refused = {"gone@house.example": "550 nobody here", "full@house.example": "452 full"}
    bad = [
        "gone@house.example",
        "full@house.example",
        "no address",
        "jörg@house.example",
        "x\ny@house.example",
    ]
    owe(tx, *bad, "ann@house.example")
    did = work(server)
    assert (did.sent, did.failed) == (1, len(bad))
    assert server.recipients == ["ann@house.example"]
    found = {row.recipient: row for row in rows()}
    assert found["full@house.example"].given_up_at is None
    assert found["full@house.example"].next_try_at > now()
    assert found["full@house.example"].failure == "452 full"
    for recipient in set(bad) - {"full@house.example"}:
        assert found[recipient].given_up_at is not None, recipient
    assert found["gone@house.example"].failure == "550 nobody here"


def test_a_server_that_is_away_is_asked_once_a_pass(tx, server):
    owe(tx, "ann@house.example", "bob@house.example")
    server.server_close()
    did = work(server)
    assert (did.sent, did.failed) == (0, 1)
    assert sorted(row.attempts for row in rows()) == [0, 1]


class Killed(BaseException):
    """The process is gone."""


class Keeper:
    """A transport that keeps what it is given, and can die behind that."""

    def __init__(self):
        self.ids, self.dies, self.on_send = [], False, lambda: None

    def send(self, message):
        """Keep the id, and die if told to."""
        self.ids.append(message["Message-ID"])
        self.on_send()
        if self.dies:
            raise Killed

    def close(self):
        """Nothing is open."""


def test_a_worker_killed_between_sending_and_marking_loses_nothing_and_sends_once_more(tx):
    owe(tx, "ann@house.example")
    keeper = Keeper()
    keeper.dies = True
    with pytest.raises(Killed):
        work(keeper)
    keeper.dies = False
    assert work(keeper).sent == 0, "the lease still holds"
    tx.execute(sa.update(OutgoingMail).values(next_try_at=now() - timedelta(seconds=1)))
    tx.commit()
    assert work(keeper).sent == 1
    assert len(keeper.ids) == 2
    assert len(set(keeper.ids)) == 1, "the same Message-ID, by which a mail program knows it"
    assert work(keeper).sent == 0
    assert rows()[0].sent_at is not None


def test_the_worker_finishes_the_mail_at_hand_and_then_stops(tx):
    owe(tx, "ann@house.example", "bob@house.example")
    keeper, stop = Keeper(), threading.Event()
    keeper.on_send = stop.set
    assert work(keeper, stop.is_set).sent == 1
    assert [row.attempts for row in rows()] == [1, 0]


def test_what_cannot_be_made_into_a_message_is_tried_again_later(tx, monkeypatch):
    owe(tx, "ann@house.example", "bob@house.example")

    def break_once(mail, settings):
        if mail.recipient.startswith("ann"):
            raise RuntimeError("a template is broken")
        return {"Message-ID": str(mail.id)}

    monkeypatch.setattr("referral.cli.worker.make_message", break_once)
    did = work(Keeper())
    assert (did.sent, did.failed) == (1, 1)
    assert "a template is broken" in rows()[0].failure


@pytest.mark.postgresql_only("SQLite lets one writer in at a time")
def test_workers_at_the_same_time_send_each_mail_once(tx, server, at_once):
    people = [f"person{number}@house.example" for number in range(30)]
    owe(tx, *people)
    passes = at_once(lambda: work(server), times=4)
    assert not [each for each in passes if isinstance(each, Exception)]
    assert sum(each.sent for each in passes) == 30
    assert sorted(server.recipients) == sorted(people)


def test_a_job_that_breaks_off_stops_neither_the_others_nor_the_mail(app, tx, monkeypatch):
    first, second = (make_company(tx, CompanyKind.DEALER).id for _ in range(2))
    owe(tx, "ann@house.example")
    done = []

    def run(tx, *, actor, at, dealer_id):
        if dealer_id == first:
            raise RuntimeError("broken")
        done.append(dealer_id)

    def die(tx, *, at):
        raise RuntimeError("cannot say")

    def due(tx, *, at):
        return [first, second]

    monkeypatch.setitem(app.extensions, "jobs", (Job("dying", die, run), Job("dealers", due, run)))
    did = one_pass(Keeper(), SETTINGS, never, {})
    assert (did.broken, did.done, did.sent) == (2, 1, 1)
    assert done == [second]


def test_a_job_that_rests_is_left_alone_meanwhile(app, tx):
    asked = []

    def due(tx, *, at):
        asked.append(at)
        return []

    job, ran_at = Job("slow", due, None, rests=timedelta(minutes=10)), {}
    run_jobs((job,), Pass(), never, ran_at)
    run_jobs((job,), Pass(), never, ran_at)
    assert len(asked) == 1
    ran_at["slow"] -= timedelta(minutes=10)
    run_jobs((job,), Pass(), never, ran_at)
    assert len(asked) == 2


def run_once(app):
    """Run the command in a context of its own: an open one would lend it another application."""
    return Context().run(app.test_cli_runner().invoke, args=["worker", "--once"])


# the command ------------------------------------------------------------------------------------


def test_the_worker_does_not_start_without_a_mail_server(app, tx):
    answer = run_once(app)
    assert answer.exit_code == 1
    assert "LEDGER_SMTP_URL, LEDGER_MAIL_FROM and LEDGER_BASE_URL" in answer.output


def test_the_command_makes_one_pass(tx, server, make_app):
    owe(tx, "ann@house.example")
    app = make_app(
        SMTP_URL=server.url, MAIL_FROM="ledger@program.example", BASE_URL="https://ledger.example/"
    )
    answer = run_once(app)
    assert (answer.exit_code, answer.output) == (0, "1 sent\n")
    assert server.mails[0][1]["From"] == "ledger@program.example"


def test_in_the_demo_the_worker_sends_nothing(tx, make_app):
    owe(tx, "ann@house.example")
    answer = run_once(make_app(DEMO=True))
    assert answer.exit_code == 0
    assert rows()[0].attempts == 0


@pytest.mark.sqlite_only("what a signal does has nothing to do with the database")
def test_a_signal_ends_the_running_worker_with_status_0(tx, server, database):
    owe(tx, "ann@house.example")
    make_program(tx)
    tx.commit()
    environment = os.environ | {
        "LEDGER_DATABASE_URL": database.uri,
        "LEDGER_SECRET_KEY": "only for tests, and long enough for them",
        "LEDGER_TRUSTED_HOSTS": "ledger.example",
        "LEDGER_SMTP_URL": server.url,
        "LEDGER_MAIL_FROM": "ledger@program.example",
        "LEDGER_BASE_URL": "https://ledger.example",
        "FLASK_APP": "wsgi:create_app",
        "PYTHONUNBUFFERED": "1",
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "flask", "worker", "--every", "3600"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "1 sent\n"
    worker.send_signal(signal.SIGTERM)
    output, _ = worker.communicate(timeout=20)
    assert (worker.returncode, output) == (0, "Stopped.\n")
