"""The way of a mail that is owed: leased by a worker, sent or tried again, put into a digest, given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.models import MailPreference, OutgoingMail, User
from referral.operations.records import guard_permission, queue_mail, record_event
from referral.permissions import Permission, Viewer
from referral.queries.mail import digest_time, owed, waits_for_digest
from referral.text import clean_line, say_day

LEASE = timedelta(minutes=5)
"""How long a worker has a mail to itself. One that is killed meanwhile leaves it to the next."""
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
TRIES = 20
"""Attempts at one mail. The waits between them double from FIRST_WAIT to LONGEST_WAIT: about three days."""
FAILURE_LENGTH = 500
STOPPED = "The worker was stopped while it sent this."


@dataclass(frozen=True)
class LeasedMail:
    """A mail that one worker sends now; `attempt` counts from 1 and says whose lease it is."""

    id: UUID
    recipient: str
    subject: str
    body: str
    path: str
    created_at: datetime
    attempt: int


def wait_after(attempt: int) -> timedelta:
    """Return how long a mail rests after its attempt of this number failed."""
    return min(FIRST_WAIT * (1 << min(attempt - 1, 20)), LONGEST_WAIT)


def lease_mail(tx: Session, *, at: datetime) -> LeasedMail | None:
    """One due mail is this worker's for the length of LEASE; None where none is due.

    Two workers never get the same one at the same time: on PostgreSQL the second passes over a row the
    first has locked, on SQLite it waits for the first. One whose last attempt was never answered is given up.
    """
    while True:
        mail = tx.scalars(
            sa.select(OutgoingMail)
            .where(*owed(at), sa.not_(waits_for_digest()))
            .order_by(OutgoingMail.next_try_at.nulls_first(), OutgoingMail.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).one_or_none()
        if mail is None:
            return None
        if mail.attempts < TRIES:
            break
        mail.given_up_at, mail.failure = at, mail.failure or STOPPED
        tx.flush()
    mail.attempts += 1
    mail.next_try_at = at + LEASE
    return LeasedMail(
        id=mail.id,
        recipient=mail.recipient,
        subject=mail.subject,
        body=mail.body,
        path=mail.path,
        created_at=mail.created_at,
        attempt=mail.attempts,
    )


def _locked_mail(tx: Session, mail_id: UUID) -> OutgoingMail | None:
    return locked(tx, sa.select(OutgoingMail).where(OutgoingMail.id == mail_id))


def mark_mail_sent(tx: Session, *, at: datetime, mail_id: UUID) -> None:
    """The mail server took the mail; where it took it twice, the first time counts."""
    mail = _locked_mail(tx, mail_id)
    if mail is not None and mail.sent_at is None:
        mail.sent_at, mail.given_up_at, mail.next_try_at, mail.failure = at, None, None, ""


def mark_mail_failed(
    tx: Session, *, at: datetime, mail_id: UUID, attempt: int, failure: str, is_final: bool = False
) -> None:
    """The mail is tried again later, or given up: after TRIES, and where the server says never.

    An attempt that is not the last one made is too late to say anything.
    """
    mail = _locked_mail(tx, mail_id)
    if mail is None or mail.sent_at is not None or mail.attempts != attempt:
        return
    mail.failure = clean_line(failure)[:FAILURE_LENGTH] or "The mail server gave no reason."
    if is_final or attempt >= TRIES:
        mail.given_up_at, mail.next_try_at = at, None
    else:
        mail.next_try_at = at + wait_after(attempt)


def retry_mail(tx: Session, *, actor: Viewer, at: datetime, mail_id: UUID) -> OutgoingMail:
    """A mail that failed is due again, with all its attempts.

    Raises Refusal(forbidden), (not_found), (not_pending) for one that is sent or did not fail.
    """
    guard_permission(actor, Permission.SETTING_CHANGE)
    mail = _locked_mail(tx, mail_id)
    if mail is None:
        raise Refusal("not_found")
    if mail.sent_at is not None or not mail.failure:
        raise Refusal("not_pending")
    mail.given_up_at, mail.next_try_at, mail.attempts, mail.failure = None, None, 0, ""
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=actor.company_id,
        event="mail.retried",
        subject=mail.recipient,
        details={"mail": str(mail.id)},
    )
    return mail


def choose_mail(tx: Session, *, actor: Viewer, at: datetime, wants_digest: bool) -> MailPreference:
    """The actor gets each mail at once, or what can wait in one mail a day.

    The first digest comes when its hour next strikes. What waited for a digest that is not wanted any more
    is due at once.
    """
    row = locked(tx, sa.select(MailPreference).where(MailPreference.user_id == actor.user_id))
    if row is None:
        row = MailPreference(user_id=actor.user_id, wants_digest=False, last_digest_on=None)
        tx.add(row)
    time = digest_time(tx, at)
    if wants_digest and not row.wants_digest and time.has_come:
        row.last_digest_on = time.day
    row.wants_digest = wants_digest
    return row


def owe_digest(tx: Session, *, actor: Viewer | None, at: datetime, user_id: UUID) -> int:  # noqa: ARG001 - a job's
    """The person's one mail of the day is owed, with all that waits; returns how many it holds.

    What it holds is sent by it. Nothing waits, no mail. The day is done either way, so that a second worker,
    and a mail that comes later, find nothing to do before tomorrow.
    """
    row = locked(tx, sa.select(MailPreference).where(MailPreference.user_id == user_id))
    time = digest_time(tx, at)
    user = tx.get(User, user_id)
    if row is None or user is None or not (row.wants_digest and user.is_active and time.has_come):
        return 0
    if row.last_digest_on is not None and row.last_digest_on >= time.day:
        return 0
    row.last_digest_on = time.day
    mails = tx.scalars(
        sa.select(OutgoingMail)
        .where(OutgoingMail.recipient == user.email, OutgoingMail.is_digestible, *owed(at))
        .order_by(OutgoingMail.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if not mails:
        return 0
    count = len(mails)
    queue_mail(
        tx,
        at=at,
        recipient=user.email,
        subject=f"{count:,} piece{'' if count == 1 else 's'} of news for {say_day(time.day)}",
        body="\n\n".join(f"# {mail.subject}\n{mail.body.strip()}\n{mail.path}".strip() for mail in mails)
        + "\n",
        path="/",
    )
    for mail in mails:
        mail.sent_at, mail.next_try_at, mail.attempts, mail.failure = at, None, 0, ""
    return count
