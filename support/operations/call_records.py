"""Writing events of service calls, and what is read off them, together; and whom their mails go to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.operations.mails import tell_dealer
from quotes.rules.mails import MailText
from referral.db import copy_rows, locked
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.operations.records import queue_mail, record_event
from referral.permissions import Viewer
from support.models.calls import CallEvent, ServiceCall
from support.queries.call_facts import call_event_digest, call_facts, told_of_calls, values_of_call
from support.queries.call_jobs import desk_addresses
from support.queries.calls import call_place_words
from support.queries.seen import call_by_ref
from support.rules.call_mails import CallWords
from support.rules.call_projection import CallFacts
from support.states import CallEventKind, Priority
from warranty.models.sources import InstalledSource, Site

KIND = "S"


@dataclass(frozen=True)
class SaidEvent:
    """An event to be recorded of a call, by somebody at an instant; see CallEvent."""

    kind: CallEventKind
    happened_at: datetime
    by: UUID | None
    at: datetime
    priority: Priority | None = None
    voids: int | None = None
    reason: str = ""
    words: str = ""


def locked_call(tx: Session, actor: Viewer, ref: str) -> ServiceCall:
    """Return the call the actor sees, locked. Raises Refusal(not_found)."""
    call = locked(tx, call_by_ref(tx, actor, ref))
    if call is None:
        raise Refusal("not_found")
    return call


def call_ref(tx: Session, call: ServiceCall) -> str:
    """Return the call's public number."""
    code = tx.scalars(sa.select(Company.code).where(Company.id == call.dealer_id)).one()
    return str(PublicNumber(KIND, code, call.number))


def write_call_event(
    tx: Session, *, actor: Viewer | None, at: datetime, call: ServiceCall, said: SaidEvent, subject: str
) -> CallEvent:
    """The event is recorded after those there are, and everything read off them is as they say.

    The call is locked by whoever calls. The audit trail has the event's digest.
    """
    columns: dict[str, Any] = {
        "dealer_id": call.dealer_id,
        "call_id": call.id,
        "number": call.event_count + 1,
        "kind": said.kind,
        "happened_at": said.happened_at,
        "priority": said.priority,
        "voids": said.voids,
        "reason": said.reason,
        "words": said.words,
        "recorded_by": said.by,
        "recorded_at": said.at,
    }
    event = CallEvent(**columns, digest=call_event_digest(columns))
    tx.add(event)
    tx.flush()
    refresh_call(tx, call, as_of=at)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=call.dealer_id,
        event="call.recorded",
        subject=subject,
        details={"event": event.number, "kind": event.kind.value, "digest": event.digest},
    )
    return event


def refresh_call(tx: Session, call: ServiceCall, *, as_of: datetime) -> CallFacts:
    """What is read off the call's events and notices is as they say at an instant."""
    facts = call_facts(tx, call)
    told = told_of_calls(tx, [call])[call.dealer_id, call.id]
    save_values(tx, [(call.dealer_id, call.id, values_of_call(facts, told, as_of))])
    tx.refresh(call)
    return facts


def save_values(tx: Session, values: Sequence[tuple[UUID, UUID, dict[str, Any]]]) -> None:
    """The columns that are read off events are these, of calls by dealer and id; one statement for all."""
    if values:
        tx.execute(
            sa.update(ServiceCall),
            [{"dealer_id": dealer_id, "id": call_id, **said} for dealer_id, call_id, said in values],
        )


def copy_notices(tx: Session, model: Any, rows: Sequence[dict[str, Any]]) -> None:
    """The notices stand, all at once."""
    if rows:
        copy_rows(tx, model, rows)


def mail_words(tx: Session, call: ServiceCall, ref: str) -> CallWords:
    """Return what mails say of a call."""
    site = tx.get_one(Site, (call.dealer_id, call.site_id))
    project = tx.get_one(Referral, (call.dealer_id, site.referral_id))
    source = None if call.source_id is None else tx.get_one(InstalledSource, (call.dealer_id, call.source_id))
    what = call_place_words(site.name, project.project_name, "" if source is None else source.model_number)
    return CallWords(
        ref=ref,
        what=what,
        problem=call.problem,
        zone=site.time_zone,
        priority="" if call.priority is None else call.priority.value,
    )


def tell_desk(
    tx: Session, at: datetime, handler_ids: Collection[UUID], text: MailText, *, is_digestible: bool = True
) -> None:
    """Everybody who works on calls at these companies is owed this mail."""
    addresses = desk_addresses(tx, handler_ids)
    for handler_id in sorted(addresses, key=lambda each: each.hex):
        for recipient in addresses[handler_id]:
            queue_mail(
                tx,
                at=at,
                recipient=recipient,
                subject=text.subject,
                body=text.body,
                path=text.path,
                is_digestible=is_digestible,
            )


def tell_both(
    tx: Session, at: datetime, call: ServiceCall, *, to_dealer: MailText, to_desk: MailText
) -> None:
    """The dealer and the handler's desk are owed these mails."""
    tell_dealer(tx, at, call.dealer_id, to_dealer)
    tell_desk(tx, at, [call.handler_id], to_desk)
