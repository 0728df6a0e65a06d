"""The story's support: systems at sites, agreements, visits and service calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from demo.warranty import WarrantySteps
from referral.models import Company
from referral.money import parse_cents
from referral.permissions import Viewer
from support.operations.agreements import build_agreement
from support.operations.agreements_deciding import accept_agreement, offer_agreement
from support.operations.calls import open_call
from support.operations.calls_recording import Used, record_call_event
from support.operations.calls_telling import tell_of_due_calls
from support.operations.catalogue import load_catalogue
from support.operations.requirements import mark_requirement
from support.operations.systems import record_system
from support.operations.visits import plan_visit
from support.operations.visits_ending import sign_off_visit
from support.queries.agreement_sites import sites_of_agreements
from support.queries.seen import agreement_by_ref, call_by_ref, visit_by_ref
from support.rules.calendar import Calendar
from support.rules.service_hours import calendar_of
from support.schemas.catalogue import shipped_catalogue
from support.states import CallEventKind, EntryKind, Platform, Priority

Step = tuple[date, str | None, Callable[[datetime], None]]
Said = Mapping[str, Any]


class SupportSteps(WarrantySteps):
    """What is agreed for sites after everything works, and what is done under it; all of it invented."""

    def support_steps(self) -> list[Step]:
        """Return every step of support, with its day."""
        self.agreements: dict[str, str] = {}
        self.visits: dict[str, str] = {}
        self.calls: dict[str, str] = {}
        return [
            (self.day_of(said), said.get("at"), self._support_step(said))
            for said in self.story["support"]["steps"]
        ]

    def load_service_catalogue(self, at: datetime) -> None:
        """The program loads the service catalogue that is shipped."""
        actor = self.actor(self.story["support"]["loaded_by"])
        reason = "Set up for the demo."
        load_catalogue(self.tx, actor=actor, at=at, catalogue=shipped_catalogue(), reason=reason)

    def day_of(self, said: Said) -> date:
        """Return the day of a step: `workday` counts business days, 1 is the next one after today."""
        return self._workday(said["workday"]) if "workday" in said else super().day_of(said)

    @cached_property
    def _hours(self) -> Calendar:
        key = self.story["support"]["calendar"]
        entries = shipped_catalogue().entries
        content = next(
            each.content for each in entries if each.kind is EntryKind.CALENDAR and each.key == key
        )
        return calendar_of(content, str(self.zone))

    def _workday(self, count: int) -> date:
        """Return the business day so many after today; 0 is the one before the next."""
        weekdays = {window.weekday for window in self._hours.windows}
        step = timedelta(days=1 if count > 0 else -1)
        day, left = self.today + timedelta(days=1 if count > 0 else 0), count if count > 0 else 1 - count
        while True:
            left -= day.weekday() in weekdays and day not in self._hours.closed
            if not left:
                return day
            day += step

    def _support_step(self, said: Said) -> Callable[[datetime], None]:
        verbs: Mapping[str, Callable[[Said, Viewer, datetime], object]] = {
            "add_site": self._add_site,
            "record_system": self._record_system,
            "build": self._build,
            "offer": self._offer,
            "accept": self._accept,
            "mark": self._mark,
            "plan_visit": self._plan_visit,
            "sign_off": self._sign_off,
            "open_call": self._open_call,
            "record": self._record,
            "tell": self._tell,
        }

        def step(at: datetime) -> None:
            verbs[said["do"]](said, self.actor(said["by"], at), at)
            self.tx.flush()

        return step

    def _record_system(self, said: Said, actor: Viewer, at: datetime) -> None:
        record_system(
            self.tx,
            actor=actor,
            at=at,
            ref=self.referrals[said["referral"]],
            site_number=said["site"],
            platform=Platform(said["platform"]),
            since_on=self.day_of(said),
            is_there=True,
            has_remote_access=said["remote_access"],
            words=said["words"],
        )

    def _build(self, said: Said, actor: Viewer, at: datetime) -> None:
        """Somebody puts an agreement together; it starts that day, or so many days after loading."""
        starts_on = self.day_of(said)
        if "starts_in_days" in said:
            starts_on = self.today + timedelta(days=said["starts_in_days"])
        agreement = build_agreement(
            self.tx,
            actor=actor,
            at=at,
            offer_key=said["offer"],
            offer_version=None,
            customer=said["customer"],
            sites=[f"{self.referrals[referral]}/{number}" for referral, number in said["sites"]],
            starts_on=starts_on,
            months=said["months"],
            choices=said["choices"],
            license_cents=None,
            idempotency_key=f"demo-{said['key']}",
        )
        self.agreements[said["key"]] = self._ref("A", agreement.dealer_id, agreement.number)

    def _offer(self, said: Said, actor: Viewer, at: datetime) -> None:
        ref = self.agreements[said["agreement"]]
        offer_agreement(
            self.tx,
            actor=actor,
            at=at,
            ref=ref,
            edit_count=self.tx.scalars(agreement_by_ref(self.tx, actor, ref)).one().edit_count,
            net_cents=[parse_cents(net) for net in said["net"]],
            tax_basis_points=said["tax_basis_points"],
        )

    def _accept(self, said: Said, actor: Viewer, at: datetime) -> None:
        ref = self.agreements[said["agreement"]]
        digest = self.tx.scalars(agreement_by_ref(self.tx, actor, ref)).one().terms_digest
        accept_agreement(
            self.tx,
            actor=actor,
            at=at,
            ref=ref,
            digest=digest or "",
            is_accepted=True,
            typed_name=actor.name,
        )

    def _mark(self, said: Said, actor: Viewer, at: datetime) -> None:
        for key in said["requirements"]:
            mark_requirement(
                self.tx,
                actor=actor,
                at=at,
                ref=self.agreements[said["agreement"]],
                requirement_key=key,
                is_met=True,
                since_on=self.day_of(said),
                words=said["words"],
            )

    def _plan_visit(self, said: Said, actor: Viewer, at: datetime) -> None:
        """A slot has a date at a site of the agreement, so many business days from loading."""
        ref = self.agreements[said["agreement"]]
        agreement = self.tx.scalars(agreement_by_ref(self.tx, actor, ref)).one()
        referral, number = said["site"]
        name = f"{self.referrals[referral]}/{number}"
        sites = sites_of_agreements(self.tx, [agreement])[agreement.id]
        visit = plan_visit(
            self.tx,
            actor=actor,
            at=at,
            ref=ref,
            grant_key=said["grant"],
            contract_year=None,
            slot=None,
            site_id=next(row.site_id for row in sites if row.term.ref == name),
            day=self._workday(said["visit_workday"]),
            starts=time.fromisoformat(said["starts"]),
            ends=time.fromisoformat(said["ends"]),
            purposes=said["purposes"],
            words=said["words"],
            idempotency_key=f"demo-{said['key']}",
        )
        self.visits[said["key"]] = self._ref("V", visit.dealer_id, visit.number)

    def _sign_off(self, said: Said, actor: Viewer, at: datetime) -> None:
        ref = self.visits[said["visit"]]
        sign_off_visit(
            self.tx,
            actor=actor,
            at=at,
            ref=ref,
            sequence=self.tx.scalars(visit_by_ref(self.tx, actor, ref)).one().sequence,
            report=said["report"],
            checked=said["checked"],
            signed_name=said["signed"],
        )

    def _open_call(self, said: Said, actor: Viewer, at: datetime) -> None:
        """Somebody asks for help: of a unit of an order's line, or at a site of a project."""
        under = self.agreements[said["agreement"]] if "agreement" in said else ""
        call = open_call(
            self.tx,
            actor=actor,
            at=at,
            source_ref=self._source(said) if "line" in said else "",
            site_ref="" if "line" in said else f"{self.referrals[said['referral']]}/{said['site']}",
            platform=Platform(said["platform"]) if "platform" in said else None,
            under=f"{under}/{said['grant']}" if "grant" in said else under,
            problem=said["problem"],
            priority=Priority(said["priority"]) if "priority" in said else None,
            happened_at=None,
            idempotency_key=f"demo-{said['key']}",
        )
        self.calls[said["key"]] = self._ref("S", call.dealer_id, call.number)

    def _record(self, said: Said, actor: Viewer, at: datetime) -> None:
        ref = self.calls[said["call"]]
        record_call_event(
            self.tx,
            actor=actor,
            at=at,
            ref=ref,
            event_count=self.tx.scalars(call_by_ref(self.tx, actor, ref)).one().event_count,
            kind=CallEventKind(said["kind"]),
            reason=said.get("reason", ""),
            words=said.get("words", ""),
            used=Used(said["used_grant"], said["used_minutes"]) if "used_grant" in said else None,
        )

    def _tell(self, said: Said, actor: Viewer, at: datetime) -> None:
        """The worker tells the desks of what a dealer's calls wait for."""
        dealer_id = self.tx.scalars(sa.select(Company.id).where(Company.code == said["dealer"])).one()
        tell_of_due_calls(self.tx, actor=actor, at=at, dealer_id=dealer_id)
