"""A project with installed sources and agreements, for the tests of service calls."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from referral.ids import PublicNumber
from referral.models import OutgoingMail
from support.models.calls import CallEvent, CallNotice, ServiceCall
from support.operations.calls import open_call
from support.operations.calls_recording import correct_call_event, record_call_event
from support.operations.calls_telling import tell_of_due_calls
from support.operations.systems import record_system
from support.queries.call_jobs import due_calls
from support.queries.call_page import call_page
from support.queries.call_verification import call_faults
from support.states import CallEventKind, DueStatus, Platform, Priority
from tests.factories import AT, make_agreement, make_catalogue, make_world
from tests.warranty.grounds import make_ground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from tests.warranty.grounds import Ground

Kind = CallEventKind
ONE, TWO, THREE = Priority
NEW_YORK, PACIFIC = "America/New_York", "America/Los_Angeles"
_count = count(1)


def ny(day: int, hour: int, minute: int = 0, *, month: int = 6, year: int = 2026) -> datetime:
    """An instant by the clocks of New York, in June 2026 unless another month is named."""
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(NEW_YORK)).astimezone(UTC)


def pacific(day: int, hour: int, minute: int = 0, *, month: int = 6, year: int = 2026) -> datetime:
    """An instant by the clocks of the Pacific coast."""
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(PACIFIC)).astimezone(UTC)


NOON = ny(2, 12)
"""A Tuesday."""


@dataclass
class Calls:
    """A project whose sources shipped, with the shipped catalogue; agreements are made by the test."""

    tx: Session
    ground: Ground
    agreements: dict[str, str] = field(default_factory=dict)

    @property
    def world(self):
        """The program, the dealer and the account."""
        return self.ground.world

    @property
    def site(self) -> str:
        """The project's own place."""
        return f"{self.ground.project}/1"

    @property
    def u(self) -> str:
        """The number of the group of lights."""
        return self.ground.ref()

    def agree(self, offer_key: str, **overrides: Any) -> str:
        """An accepted agreement for the project's place; returns its number."""
        made = make_agreement(self.world, **({"offer_key": offer_key, "sites": [self.site]} | overrides))
        self.tx.flush()
        return str(PublicNumber("A", self.world.dealer.company_code, made.number))

    def system(self, platform: Platform) -> None:
        """A connected system with remote access is at the site."""
        record_system(
            self.tx, actor=self.world.account, at=AT, ref=self.ground.project, site_number=1, platform=platform,
            since_on=AT.date(), is_there=True, has_remote_access=True, words="",
        )  # fmt: skip

    def opening(self, **overrides: Any) -> dict[str, Any]:
        """Help is asked for at the site on a Tuesday at noon, under the best there is."""
        said = {
            "actor": self.world.dealer,
            "at": NOON,
            "source_ref": "",
            "site_ref": self.site,
            "platform": None,
            "under": "",
            "problem": "The lights do not follow the time of day.",
            "priority": None,
            "happened_at": None,
            "idempotency_key": f"call-{next(_count)}",
        }
        said |= overrides
        if said["source_ref"]:
            said["site_ref"] = ""
        return said

    def open(self, **overrides: Any) -> str:
        """A call; returns its number."""
        call = open_call(self.tx, **self.opening(**overrides))
        self.tx.flush()
        return str(PublicNumber("S", self.world.dealer.company_code, call.number))

    def call(self, ref: str) -> ServiceCall:
        """The call, read anew."""
        self.tx.expire_all()
        return self.tx.scalars(
            sa.select(ServiceCall).where(
                ServiceCall.dealer_id == self.world.dealer.company_id,
                ServiceCall.number == int(ref.rpartition("-")[2]),
            )
        ).one()

    def desk(self, ref: str):
        """Somebody of the desk that works on the call."""
        is_program = self.call(ref).handler_id == self.world.program.company_id
        return self.world.program if is_program else self.world.account

    def saying(self, ref: str, kind: CallEventKind, at: datetime, **overrides: Any) -> dict[str, Any]:
        """That something happened to the call."""
        words = {
            Kind.RESOLVED: "Reset",
            Kind.NOTED: "Seen",
            Kind.REOPENED: "It is back",
            Kind.WITHDRAWN: "Ours",
        }
        said = {
            "actor": self.desk(ref),
            "at": at,
            "ref": ref,
            "event_count": self.call(ref).event_count,
            "kind": kind,
            "words": words.get(kind, ""),
            "reason": "customer"
            if kind is Kind.PAUSED
            else "No parts"
            if kind is Kind.PROGRESS_STOPPED
            else "",
        }
        return said | overrides

    def record(self, ref: str, kind: CallEventKind, at: datetime, **overrides: Any) -> ServiceCall:
        """It happened."""
        return record_call_event(self.tx, **self.saying(ref, kind, at, **overrides))

    def correcting(self, ref: str, number: int, at: datetime, **overrides: Any) -> dict[str, Any]:
        """That an event was wrong."""
        said = {
            "actor": self.desk(ref),
            "at": at,
            "ref": ref,
            "event_count": self.call(ref).event_count,
            "number": number,
            "reason": "Wrong",
        }
        return said | overrides

    def correct(self, ref: str, number: int, at: datetime, **overrides: Any) -> ServiceCall:
        """The event counts no more."""
        return correct_call_event(self.tx, **self.correcting(ref, number, at, **overrides))

    def page(self, ref: str, at: datetime, viewer=None):
        """The page of the call."""
        self.tx.expire_all()
        return call_page(self.tx, viewer=viewer or self.world.program, at=at, ref=ref)

    def told(self, ref: str, at: datetime) -> list[tuple[str, DueStatus, datetime | None]]:
        """What the page says of each obligation, in order of the policy: key, status and due instant."""
        return [(due.key, due.status, due.due_at) for due in self.page(ref, at).line.obligations]

    def events(self, ref: str) -> list[CallEvent]:
        """The events of the call."""
        call = self.call(ref)
        return list(
            self.tx.scalars(
                sa.select(CallEvent).where(CallEvent.call_id == call.id).order_by(CallEvent.number)
            )
        )

    def notices(self, ref: str) -> list[tuple[str, str, datetime]]:
        """What was told of the call, in order: kind, obligation, due instant."""
        call = self.call(ref)
        rows = self.tx.scalars(sa.select(CallNotice).where(CallNotice.call_id == call.id)).all()
        return [
            (row.kind, row.obligation_key, row.due_at)
            for row in sorted(rows, key=lambda row: (row.told_at, row.due_at, row.kind))
        ]

    def work(self, at: datetime) -> int:
        """The worker passes by; returns how many notices it told."""
        self.tx.flush()
        return sum(
            tell_of_due_calls(self.tx, actor=None, at=at, dealer_id=dealer_id)
            for dealer_id in due_calls(self.tx, at=at)
        )

    def mails(self, start: str) -> list[OutgoingMail]:
        """The mails whose subject begins so."""
        return list(
            self.tx.scalars(
                sa.select(OutgoingMail)
                .where(OutgoingMail.subject.startswith(start))
                .order_by(OutgoingMail.id)
            )
        )

    def faults(self) -> list[str]:
        """What verification finds."""
        self.tx.flush()
        self.tx.expire_all()
        return list(call_faults(self.tx))


@contextmanager
def counted_statements(tx: Session) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def hear(_connection, _cursor, statement, *_rest) -> None:
        sent.append(statement)

    engine = tx.get_bind().engine
    sa.event.listen(engine, "before_cursor_execute", hear)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", hear)


def make_calls(tx: Session) -> Calls:
    """The ground, with the shipped catalogue loaded before everything."""
    world = make_world(tx)
    make_catalogue(tx, world.program)
    return Calls(tx, make_ground(tx, world))
