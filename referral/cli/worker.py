"""The worker: runs what comes due by itself, and sends the mails that are owed."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import FrameType

import click
from flask import current_app
from flask.cli import with_appcontext

from referral.clock import now
from referral.db import read, write
from referral.mailkit import (
    CannotSend,
    MailSettings,
    SmtpTransport,
    Transport,
    mail_server,
    mail_settings,
    make_message,
)
from referral.operations.jobs import Job
from referral.operations.mail import LeasedMail, lease_mail, mark_mail_failed, mark_mail_sent

log = logging.getLogger(__name__)


@dataclass
class Pass:
    """What one pass of the worker did."""

    done: int = 0
    """Pieces of work of jobs."""
    sent: int = 0
    failed: int = 0
    broken: int = 0
    """Jobs, or pieces of them, that ended in an error; the log has it."""

    def __str__(self) -> str:
        """Say it in one line; '' where there was nothing to do."""
        said = [
            f"{count:,} {words}"
            for count, words in (
                (self.sent, "sent"),
                (self.failed, "not taken by the mail server"),
                (self.done, "pieces of other work done"),
                (self.broken, "broken off by an error"),
            )
            if count
        ]
        return ", ".join(said)


def run_jobs(
    jobs: Sequence[Job], did: Pass, is_stopped: Callable[[], bool], ran_at: dict[str, datetime]
) -> None:
    """Everything of the jobs that is due is done, but for what ends in an error: that is logged.

    `ran_at` remembers when each job ran last, for those that rest.
    """
    for job in jobs:
        at = now()
        if job.name in ran_at and at < ran_at[job.name] + job.rests:
            continue
        ran_at[job.name] = at
        try:
            keys = read(job.due, at=at)
        except Exception:
            log.exception("the job %s cannot say what is due", job.name)
            did.broken += 1
            continue
        for key in keys:
            if is_stopped():
                return
            try:
                write(job.run, actor=None, at=now(), **{job.key: key})
                did.done += 1
            except Exception:
                log.exception("the job %s broke off at %s", job.name, key)
                did.broken += 1


def send_mails(
    transport: Transport, settings: MailSettings, did: Pass, is_stopped: Callable[[], bool]
) -> None:
    """Every mail that is due is sent, or put off with what the server said.

    A mail is leased in one transaction, sent outside of any, and marked in another: killed in between, it is
    sent once more when its lease is over, and never lost. Where the server is away the others wait.
    """
    while not is_stopped():
        mail = write(lease_mail, at=now())
        if mail is None:
            return
        try:
            _send(transport, settings, mail)
        except CannotSend as error:
            _fail(mail, str(error), is_final=error.is_final)
            did.failed += 1
            if error.is_server_away:
                return
        except Exception as error:
            log.exception("mail %s cannot be made", mail.id)
            _fail(mail, f"It cannot be made: {error}")
            did.failed += 1
        else:
            write(mark_mail_sent, at=now(), mail_id=mail.id)
            did.sent += 1


def _send(transport: Transport, settings: MailSettings, mail: LeasedMail) -> None:
    transport.send(make_message(mail, settings))


def _fail(mail: LeasedMail, failure: str, *, is_final: bool = False) -> None:
    write(
        mark_mail_failed,
        at=now(),
        mail_id=mail.id,
        attempt=mail.attempt,
        failure=failure,
        is_final=is_final,
    )


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Set the event on SIGTERM and Ctrl-C, so that the mail at hand is finished first."""
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command("worker")
@click.option(
    "--every",
    "seconds",
    type=click.IntRange(1, 3600),
    default=10,
    show_default=True,
    help="Seconds between two passes.",
)
@click.option("--once", is_flag=True, help="Make one pass and end; exits 1 where something broke off.")
@with_appcontext
def worker_command(seconds: int, once: bool) -> None:
    """Run reminders and other jobs, and send the mails that are owed, until SIGTERM or Ctrl-C.

    Several workers may run at the same time. Each mail is sent at least once: one that a worker was killed
    over is sent again, with the same Message-ID. In the demo mails stay in the outbox.
    """
    server, settings = mail_server(), mail_settings()
    if not current_app.config["DEMO"] and (server is None or settings is None):
        raise click.ClickException(
            "Set LEDGER_SMTP_URL, LEDGER_MAIL_FROM and LEDGER_BASE_URL: the worker sends mail."
        )
    did, ran_at = Pass(), dict[str, datetime]()
    with stopped_by_signals() as stop:
        while not stop.is_set():
            transport = SmtpTransport(server) if server and settings else None
            did = one_pass(transport, settings, stop.is_set, ran_at)
            if str(did):
                click.echo(str(did))
            if once:
                break
            stop.wait(seconds)
    if once and did.broken:
        raise SystemExit(1)
    if not once:
        click.echo("Stopped.")


def one_pass(
    transport: Transport | None,
    settings: MailSettings | None,
    is_stopped: Callable[[], bool],
    ran_at: dict[str, datetime],
) -> Pass:
    """Make a pass; an error, such as a database that is away, is logged, and the next pass may do better."""
    did = Pass()
    try:
        run_jobs(current_app.extensions["jobs"], did, is_stopped, ran_at)
        if transport is not None and settings is not None:
            send_mails(transport, settings, did, is_stopped)
    except Exception:
        log.exception("the pass broke off")
        did.broken += 1
    finally:
        if transport is not None:
            transport.close()
    return did
