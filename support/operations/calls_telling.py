"""What the worker does for service calls: tells of what is due, was missed or pages, each once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.operations.records import queue_mail
from referral.permissions import Viewer
from support.models.calls import CallNotice, ServiceCall
from support.operations.call_records import KIND, copy_notices, save_values
from support.queries.call_facts import CHUNK, facts_of_calls, told_of_calls, values_of_call
from support.queries.call_jobs import calls_to_tell, desk_addresses
from support.queries.calls import call_place_words
from support.rules import call_mails as mails
from support.rules.call_projection import DUE, owed
from warranty.models.sources import InstalledSource, Site


def tell_of_due_calls(tx: Session, *, actor: Viewer | None, at: datetime, dealer_id: UUID) -> int:  # noqa: ARG001 - a job's
    """The desks are told of the dealer's next calls with something due; returns how many notices were told.

    At most CALLS_AT_ONCE calls, whose rows are locked: of two workers the second finds nothing left. The
    notices, the mails and when each call is told of next stand together or not at all. The number of
    statements does not depend on how many calls there are, but for the chunks they are read in.
    """
    calls = tx.scalars(calls_to_tell(dealer_id, at=at)).all()
    if not calls:
        return 0
    facts = facts_of_calls(tx, calls)
    told = told_of_calls(tx, calls)
    addresses = desk_addresses(tx, {call.handler_id for call in calls})
    words = _words_of(tx, dealer_id, calls)
    notices, values = [], []
    for call in calls:
        key = (call.dealer_id, call.id)
        line = facts[key].timeline(at)
        now = [each for each in owed(facts[key], line, told[key], at) if each.since <= at]
        for each in now:
            told[key][each.told] = at
            notices.append(
                {
                    "dealer_id": call.dealer_id,
                    "call_id": call.id,
                    "kind": each.kind,
                    "obligation_key": each.key,
                    "due_at": each.due_at,
                    "told_at": at,
                }
            )
        values.append((*key, values_of_call(facts[key], told[key], at)))
        if now:
            text = mails.due_now(words[call.id], notices=now, at=at)
            for recipient in addresses.get(call.handler_id, ()):
                queue_mail(
                    tx,
                    at=at,
                    recipient=recipient,
                    subject=text.subject,
                    body=text.body,
                    path=text.path,
                    is_digestible=all(each.kind == DUE for each in now),
                )
    copy_notices(tx, CallNotice, notices)
    save_values(tx, values)
    return len(notices)


def _words_of(tx: Session, dealer_id: UUID, calls: Sequence[ServiceCall]) -> dict[UUID, mails.CallWords]:
    """Return what mails say of calls of one dealer, by id."""
    code = tx.scalars(sa.select(Company.code).where(Company.id == dealer_id)).one()
    found = {}
    ids = [call.id for call in calls]
    for start in range(0, len(ids), CHUNK):
        rows = tx.execute(
            sa.select(
                ServiceCall, Site.name, Site.time_zone, Referral.project_name, InstalledSource.model_number
            )
            .join(Site, sa.and_(Site.dealer_id == ServiceCall.dealer_id, Site.id == ServiceCall.site_id))
            .join(
                Referral,
                sa.and_(Referral.dealer_id == Site.dealer_id, Referral.id == Site.referral_id),
            )
            .outerjoin(
                InstalledSource,
                sa.and_(
                    InstalledSource.dealer_id == ServiceCall.dealer_id,
                    InstalledSource.id == ServiceCall.source_id,
                ),
            )
            .where(ServiceCall.dealer_id == dealer_id, ServiceCall.id.in_(ids[start : start + CHUNK]))
        )
        for call, site_name, time_zone, project_name, model_number in rows:
            found[call.id] = mails.CallWords(
                ref=str(PublicNumber(KIND, code, call.number)),
                what=call_place_words(site_name, project_name, model_number or ""),
                problem=call.problem,
                zone=time_zone,
                priority="" if call.priority is None else call.priority.value,
            )
    return found
