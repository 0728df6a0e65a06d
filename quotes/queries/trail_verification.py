"""Whether what is kept beside the ledger is what the audit trail tells: each was written with an event of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from quotes.models.price_lists import PriceList
from quotes.models.projects import MilestoneEntry
from quotes.models.quotes import Approval, Quote
from quotes.models.recalls import PriceRecall
from quotes.models.replacements import Replacement, ReplacementLine
from quotes.models.services import ServiceOffer
from referral.clock import business_day
from referral.ids import PublicNumber
from referral.models import AuditEvent, Company, Continuation, Delegation, Referral
from referral.queries.settings import time_zone

Said = Mapping[tuple[str, ...], tuple[object, ...]]
"""What is said of each thing, by what names it."""


def trail_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each fault: another content than the trail tells, one without the other, a right unlent.

    It covers recalled prices, offers for services, warranty replacements, projects that go on, milestones, and
    the lendings behind the approvals of delegates.
    """
    for what, kept, told in (
        ("recalled price", _recalls(tx), _told_recalls(tx)),
        ("services offer", _offers(tx), _told_offers(tx)),
        ("replacement", _replacements(tx), _told_replacements(tx)),
        ("continued project", _continuations(tx), _told_continuations(tx)),
        ("milestone", _milestones(tx), _told_milestones(tx)),
    ):
        for key in sorted(kept.keys() | told.keys()):
            if kept.get(key) != told.get(key):
                yield f"{what} {' '.join(key)}: is not what the audit trail tells"
    yield from _lending_faults(tx)


def _events(tx: Session, event: str) -> Sequence[AuditEvent]:
    return tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == event)).all()


def _instant(at: datetime) -> str:
    return at.isoformat()


# recalled prices --------------------------------------------------------------------------------


def _recalls(tx: Session) -> Said:
    rows = tx.execute(
        sa.select(PriceRecall, PriceList.version).join(PriceList, PriceList.id == PriceRecall.price_list_id)
    )
    return {
        (f"price list {version}", row.model_number): (row.reason, row.recalled_by, row.recalled_at)
        for row, version in rows
    }


def _told_recalls(tx: Session) -> Said:
    return {
        (event.subject, number): (event.details["reason"], event.actor_id, event.at)
        for event in _events(tx, "price.recalled")
        for number in event.details["model_numbers"]
    }


# offers for services ----------------------------------------------------------------------------


def _offers(tx: Session) -> Said:
    """Return the offers after the first: that one is the submission, as its own check says."""
    rows = tx.execute(
        sa.select(ServiceOffer, Quote.number, Company.code)
        .join(Quote, sa.and_(Quote.dealer_id == ServiceOffer.dealer_id, Quote.id == ServiceOffer.quote_id))
        .join(Company, Company.id == ServiceOffer.dealer_id)
        .where(ServiceOffer.number > 1)
    )
    return {
        (f"{PublicNumber('Q', code, number)}.{row.revision_number}", str(row.number)): (
            row.total_cents,
            row.made_by,
            row.made_at,
        )
        for row, number, code in rows
    }


def _told_offers(tx: Session) -> Said:
    return {
        (f"{event.subject}.{event.details['revision']}", str(event.details["offer"])): (
            event.details["total_cents"],
            event.actor_id,
            event.at,
        )
        for event in _events(tx, "services.offered")
    }


# warranty replacements --------------------------------------------------------------------------


def _replacements(tx: Session) -> Said:
    units = (
        sa.select(sa.func.coalesce(sa.func.sum(ReplacementLine.quantity), 0))
        .where(
            ReplacementLine.dealer_id == Replacement.dealer_id,
            ReplacementLine.order_id == Replacement.order_id,
            ReplacementLine.replacement_number == Replacement.number,
        )
        .correlate(Replacement)
        .scalar_subquery()
    )
    rows = tx.execute(
        sa.select(Replacement, units, Order.number, Company.code)
        .join(Order, sa.and_(Order.dealer_id == Replacement.dealer_id, Order.id == Replacement.order_id))
        .join(Company, Company.id == Replacement.dealer_id)
    )
    return {
        (str(PublicNumber("O", code, number)), str(row.number)): (
            int(count),
            row.reason,
            row.ordered_by,
            row.ordered_at,
        )
        for row, count, number, code in rows
    }


def _told_replacements(tx: Session) -> Said:
    return {
        (event.subject, str(event.details["replacement"])): (
            event.details["units"],
            event.details["reason"],
            event.actor_id,
            event.at,
        )
        for event in _events(tx, "order.replaced")
    }


# projects ---------------------------------------------------------------------------------------


def _continuations(tx: Session) -> Said:
    rows = tx.execute(
        sa.select(Continuation, Referral.number, Company.code)
        .join(
            Referral,
            sa.and_(Referral.dealer_id == Continuation.dealer_id, Referral.id == Continuation.referral_id),
        )
        .join(Company, Company.id == Continuation.dealer_id)
    )
    return {
        (str(PublicNumber("R", code, number)), row.last_on.isoformat(), _instant(row.granted_at)): (
            row.reason,
            row.granted_by,
        )
        for row, number, code in rows
    }


def _told_continuations(tx: Session) -> Said:
    return {
        (event.subject, event.details["last_on"], _instant(event.at)): (
            event.details["reason"],
            event.actor_id,
        )
        for event in _events(tx, "referral.continued")
    }


def _milestones(tx: Session) -> Said:
    rows = tx.execute(
        sa.select(MilestoneEntry, Referral.number, Company.code)
        .join(
            Referral,
            sa.and_(
                Referral.dealer_id == MilestoneEntry.dealer_id, Referral.id == MilestoneEntry.referral_id
            ),
        )
        .join(Company, Company.id == MilestoneEntry.dealer_id)
    )
    return {
        (str(PublicNumber("R", code, number)), row.kind.value, str(row.number)): (
            *(
                None if day is None else day.isoformat()
                for day in (row.planned_on, row.forecast_on, row.actual_on)
            ),
            row.slip_reason,
            row.said_by,
            row.said_at,
        )
        for row, number, code in rows
    }


def _told_milestones(tx: Session) -> Said:
    return {
        (event.subject, event.details["milestone"], str(event.details["number"])): (
            *(event.details[name] for name in ("planned_on", "forecast_on", "actual_on", "slip_reason")),
            event.actor_id,
            event.at,
        )
        for event in _events(tx, "milestone.set")
    }


# delegates --------------------------------------------------------------------------------------


def _lending_faults(tx: Session) -> Iterator[str]:
    """Yield approvals on behalf of somebody who had not lent the right to who approved."""
    zone = time_zone(tx)
    approvals = tx.scalars(
        sa.select(Approval)
        .where(Approval.on_behalf_of.is_not(None))
        .order_by(Approval.dealer_id, Approval.quote_id, Approval.revision_number)
    ).all()
    for approval in approvals:
        day = business_day(approval.approved_at, zone)
        lent = sa.select(Delegation.id).where(
            Delegation.dealer_id == approval.dealer_id,
            Delegation.approver_id == approval.on_behalf_of,
            Delegation.delegate_id == approval.approved_by,
            Delegation.first_on <= day,
            Delegation.last_on >= day,
            sa.or_(Delegation.ended_at.is_(None), Delegation.ended_at >= approval.approved_at),
        )
        if tx.scalars(lent.limit(1)).first() is None:
            yield (
                f"approval of revision {approval.revision_number} of quote {approval.quote_id}: "
                "nobody had lent the right to decide"
            )
