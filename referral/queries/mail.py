"""Outgoing mail: what is due, what waits for a digest, what failed, and how a person wants it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.clock import business_day
from referral.errors import Refusal
from referral.models import MailPreference, OutgoingMail, User
from referral.permissions import Viewer
from referral.queries.records import PAGE_ROWS, page_key
from referral.queries.settings import time_zone, whole_number_setting


def owed(at: datetime) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a mail that can be sent now: owed, not given up, not being sent or put off."""
    return [
        OutgoingMail.sent_at.is_(None),
        OutgoingMail.given_up_at.is_(None),
        sa.or_(OutgoingMail.next_try_at.is_(None), OutgoingMail.next_try_at <= at),
    ]


def waits_for_digest() -> sa.ColumnElement[bool]:
    """Return the condition that a mail can wait and its recipient prefers one mail a day."""
    prefer = (
        sa.select(User.email)
        .join(MailPreference, MailPreference.user_id == User.id)
        .where(MailPreference.wants_digest)
    )
    return sa.and_(OutgoingMail.is_digestible, OutgoingMail.recipient.in_(prefer))


@dataclass(frozen=True)
class DigestTime:
    """The business day of an instant, and whether the hour of its digests has come."""

    day: date
    hour: int
    has_come: bool


def digest_time(tx: Session, at: datetime) -> DigestTime:
    """Return where an instant stands to the one mail a day, in the program's zone."""
    zone = time_zone(tx)
    day = business_day(at, zone)
    hour = whole_number_setting(tx, "mail_digest_hour", day)
    return DigestTime(day, hour, at.astimezone(ZoneInfo(zone)).hour >= hour)


def digests_due(tx: Session, *, at: datetime) -> Sequence[UUID]:
    """Return the people whose one mail of the day is not done though its hour has come."""
    time = digest_time(tx, at)
    if not time.has_come:
        return ()
    return tx.scalars(
        sa.select(MailPreference.user_id)
        .join(User, User.id == MailPreference.user_id)
        .where(
            MailPreference.wants_digest,
            User.is_active,
            sa.or_(MailPreference.last_digest_on.is_(None), MailPreference.last_digest_on < time.day),
        )
        .order_by(MailPreference.user_id)
    ).all()


@dataclass(frozen=True)
class MailChoice:
    """How a person wants mails: `waiting` ones go into the next digest, on `next_on` from `hour` on."""

    wants_digest: bool
    hour: int
    next_on: date
    waiting: int


def mail_choice(tx: Session, *, viewer: Viewer, at: datetime) -> MailChoice:
    """Return how the viewer wants mails."""
    time = digest_time(tx, at)
    row = tx.get(MailPreference, viewer.user_id)
    waiting = tx.scalar(
        sa.select(sa.func.count())
        .select_from(OutgoingMail)
        .where(OutgoingMail.recipient == viewer.email, *owed(at), waits_for_digest())
    )
    is_done = row is not None and row.last_digest_on is not None and row.last_digest_on >= time.day
    return MailChoice(
        wants_digest=row is not None and row.wants_digest,
        hour=time.hour,
        next_on=time.day + timedelta(days=1) if is_done or (row is None and time.has_come) else time.day,
        waiting=waiting or 0,
    )


class MailState(enum.StrEnum):
    """Where a mail stands."""

    WAITING = "waiting"
    FOR_DIGEST = "for_digest"
    FAILED = "failed"
    GIVEN_UP = "given_up"
    SENT = "sent"
    IN_DIGEST = "in_digest"


@dataclass(frozen=True)
class MailRow:
    """A mail and where it stands."""

    id: UUID
    recipient: str
    subject: str
    body: str
    path: str
    created_at: datetime
    sent_at: datetime | None
    next_try_at: datetime | None
    attempts: int
    failure: str
    state: MailState


def _row(mail: OutgoingMail, waits: bool) -> MailRow:
    return MailRow(
        id=mail.id,
        recipient=mail.recipient,
        subject=mail.subject,
        body=mail.body,
        path=mail.path,
        created_at=mail.created_at,
        sent_at=mail.sent_at,
        next_try_at=mail.next_try_at,
        attempts=mail.attempts,
        failure=mail.failure,
        state=_state(mail, waits),
    )


def _state(mail: OutgoingMail, waits: bool) -> MailState:
    """Return where a mail stands. A digest takes what no attempt was made at, and marks it sent."""
    if mail.sent_at is not None:
        return MailState.SENT if mail.attempts else MailState.IN_DIGEST
    if mail.given_up_at is not None:
        return MailState.GIVEN_UP
    if mail.failure:
        return MailState.FAILED
    return MailState.FOR_DIGEST if waits else MailState.WAITING


def outbox_page(tx: Session, *, after: str | None = None) -> tuple[tuple[MailRow, ...], str | None]:
    """Return mails, newest first, and the key the list continues after."""
    return _page(tx, [], after)


def _page(
    tx: Session, conditions: Sequence[sa.ColumnElement[bool]], after: str | None
) -> tuple[tuple[MailRow, ...], str | None]:
    statement = (
        sa.select(OutgoingMail, waits_for_digest())
        .where(*conditions)
        .order_by(OutgoingMail.id.desc())
        .limit(PAGE_ROWS + 1)
    )
    if after is not None:
        statement = statement.where(OutgoingMail.id < page_key(after))
    found = tx.execute(statement).all()
    rows = tuple(_row(mail, bool(waits)) for mail, waits in found[:PAGE_ROWS])
    return rows, str(rows[-1].id) if len(found) > PAGE_ROWS else None


def mail_of_outbox(tx: Session, mail_id: UUID) -> MailRow:
    """Return one mail, for the demo's preview. Raises Refusal(not_found)."""
    mail = tx.get(OutgoingMail, mail_id)
    if mail is None:
        raise Refusal("not_found")
    return _row(mail, waits=False)


@dataclass(frozen=True)
class FailuresPage:
    """Mails that the mail server did not take, and how many others it has not been asked yet."""

    rows: tuple[MailRow, ...]
    after: str | None
    waiting: int
    waiting_since: datetime | None


def failures_page(tx: Session, *, at: datetime, after: str | None = None) -> FailuresPage:
    """Return mails that failed and are still owed, newest first, and what is due now."""
    failed = [
        OutgoingMail.sent_at.is_(None),
        sa.or_(OutgoingMail.given_up_at.is_not(None), OutgoingMail.failure != ""),
    ]
    rows, next_after = _page(tx, failed, after)
    waiting, since = tx.execute(
        sa.select(sa.func.count(), sa.func.min(OutgoingMail.created_at)).where(
            *owed(at), OutgoingMail.failure == "", sa.not_(waits_for_digest())
        )
    ).one()
    return FailuresPage(rows, next_after, waiting, since)
