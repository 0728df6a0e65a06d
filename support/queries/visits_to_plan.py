"""What to plan: slots of running contract years that have no date, and work that comes due by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.records import holds_words, page_key
from referral.queries.settings import today
from support.models.agreements import Agreement, AgreementSite
from support.queries.seen import agreements_seen_by
from support.queries.visits_facts import VisitFacts, visit_facts
from support.rules.slots import Slot, SlotKey, is_to_plan
from support.states import BINDING_STATES
from warranty.models.sources import Site

AHEAD_DAYS = 30
"""Scheduled work is to be planned when it is due in so many days."""
SCANNED = 300
"""Agreements that one page looks into."""
ROWS = 50
"""Rows of one page, but for the last agreement's."""


@dataclass(frozen=True)
class PlanRow:
    """Visits of one kind in one contract year that have no date yet; or scheduled work that is due."""

    agreement_ref: str
    customer: str
    offer_name: str
    what: str
    undated: int
    whole: int
    contract_year: int
    first_on: date
    due_on: date
    """By when; of slots the last day of their contract year."""
    why: str
    is_late: bool
    is_scheduled: bool
    site_names: tuple[str, ...]
    key: SlotKey
    """The first of them, to plan next."""

    @property
    def slot(self) -> str:
        """Which one is planned next, as an address carries it."""
        return slot_text(self.key)


@dataclass(frozen=True)
class PlanList:
    """A page of what is to plan, soonest first; `after` continues it with more agreements."""

    rows: tuple[PlanRow, ...]
    after: str | None
    today: date
    may_plan: bool


def slot_text(key: SlotKey) -> str:
    """Return a slot as an address carries it: visits.1.2 is the second visit of contract year 1."""
    return ".".join(map(str, key))


def slot_key(text: str) -> SlotKey | None:
    """Read a slot out of an address; None where it is none."""
    grant_key, _, rest = text.partition(".")
    year, _, number = rest.partition(".")
    if not (grant_key and year.isascii() and year.isdigit() and number.isascii() and number.isdigit()):
        return None
    if len(year) > len("999") or len(number) > len("999"):
        return None
    return (grant_key, int(year), int(number))


def visits_to_plan(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    project: str = "",
    after: str | None = None,
    limit: int = ROWS,
) -> PlanList:
    """Return what is to plan in the agreements the viewer sees that run today. Raises Refusal(not_found).

    A page looks into SCANNED agreements at most, in the order they were made.
    """
    day = today(tx, at)
    statement = (
        agreements_seen_by(viewer)
        .add_columns(Company.code)
        .join(Company, Company.id == Agreement.dealer_id)
        .where(
            Agreement.state.in_(sorted(BINDING_STATES)),
            Agreement.starts_on <= day,
            Agreement.last_on >= day,
            *_holds(project),
        )
    )
    if after is not None:
        statement = statement.where(Agreement.id > page_key(after))
    found = tx.execute(statement.order_by(Agreement.id).limit(SCANNED + 1)).all()
    agreements = [row.Agreement for row in found[:SCANNED]]
    codes = {row.Agreement.id: row.code for row in found}
    facts = visit_facts(tx, agreements)
    names = site_names(tx, viewer, agreements)
    rows: list[PlanRow] = []
    then = str(agreements[-1].id) if len(found) > SCANNED else None
    for agreement in agreements:
        if len(rows) >= limit:
            break
        rows += _rows(facts[agreement.id], codes[agreement.id], names.get(agreement.id, ()), day)
        if len(rows) >= limit and agreement is not found[-1].Agreement:
            then = str(agreement.id)
    rows.sort(key=lambda row: (row.due_on, row.agreement_ref, row.key))
    return PlanList(tuple(rows), then, day, viewer.may(Permission.VISIT_PLAN))


def site_names(tx: Session, viewer: Viewer, agreements: list[Agreement]) -> Mapping[UUID, tuple[str, ...]]:
    """Return the names of the sites of agreements that the viewer sees, by the agreement's id."""
    if not agreements:
        return {}
    rows = tx.execute(
        sa.select(AgreementSite.agreement_id, Site.name)
        .join(Site, sa.and_(Site.dealer_id == AgreementSite.dealer_id, Site.id == AgreementSite.site_id))
        .where(
            AgreementSite.dealer_id.in_({each.dealer_id for each in agreements}),
            AgreementSite.agreement_id.in_([each.id for each in agreements]),
            sites_of(viewer),
        )
        .order_by(Site.name, Site.id)
    )
    found: dict[UUID, tuple[str, ...]] = {}
    for row in rows:
        found[row.agreement_id] = (*found.get(row.agreement_id, ()), row.name)
    return found


def sites_of(viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return the condition on sites of agreements: all for the dealer and the program, its own for an account."""
    if viewer.acts_as(CompanyKind.PROGRAM):
        return sa.true()
    return sa.or_(
        AgreementSite.dealer_id == viewer.company_id if viewer.acts_as(CompanyKind.DEALER) else sa.false(),
        AgreementSite.account_id == viewer.company_id if viewer.acts_as(CompanyKind.ACCOUNT) else sa.false(),
    )


def _holds(project: str) -> list[Any]:
    """Return the conditions that the words stand in the customer's name, or in a site's or its project's."""
    if not project:
        return []
    here = (
        sa.exists()
        .where(
            AgreementSite.dealer_id == Agreement.dealer_id,
            AgreementSite.agreement_id == Agreement.id,
            Site.dealer_id == AgreementSite.dealer_id,
            Site.id == AgreementSite.site_id,
            Referral.dealer_id == Site.dealer_id,
            Referral.id == Site.referral_id,
            *holds_words(project, Agreement.customer, Site.name, Site.place, folded=Referral.project_key),
        )
        .correlate(Agreement)
    )
    return [here]


def _rows(facts: VisitFacts, code: str, names: tuple[str, ...], day: date) -> Iterator[PlanRow]:
    """Yield what is to plan of one agreement: slots of one kind and year together, a follow-up by itself."""
    ref = str(PublicNumber("A", code, facts.agreement.number))
    together: dict[tuple[str, int, int], list[Slot]] = {}
    for slot in facts.undated:
        if is_to_plan(slot, day, AHEAD_DAYS):
            place = (slot.grant_key, slot.contract_year, slot.number if slot.is_scheduled else 0)
            together.setdefault(place, []).append(slot)
    for (grant_key, contract_year, _), slots in together.items():
        first = slots[0]
        whole = sum(
            slot.grant_key == grant_key and slot.contract_year == contract_year for slot in facts.slots
        )
        yield PlanRow(
            agreement_ref=ref,
            customer=facts.agreement.customer,
            offer_name=facts.term.offer.name,
            what=first.name,
            undated=len(slots),
            whole=1 if first.is_scheduled else whole,
            contract_year=contract_year,
            first_on=first.first_on,
            due_on=first.due_on,
            why=first.why if first.is_scheduled else f"contract year {contract_year}",
            is_late=first.due_on < day,
            is_scheduled=first.is_scheduled,
            site_names=names,
            key=first.key,
        )
