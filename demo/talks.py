"""The story's talks about services, and the rights to decide that approvers lent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from demo.stage import Stage, day_or_none
from quotes.operations.quotes import ServiceInput
from quotes.operations.services import agree_services, counter_services
from quotes.states import ServiceKind
from referral.money import parse_cents
from referral.operations.delegations import lend_decision

Step = tuple[date, str | None, Callable[[datetime], None]]


class TalkSteps(Stage):
    """Offers and agreements of both sides, and lendings; all of it invented."""

    def talk_steps(self) -> list[Step]:
        """Return every answer to an offer, and every lending, with its day."""
        steps: list[Step] = [(self.day_of(said), None, self._answer(said)) for said in self.story["talks"]]
        steps += [(self.day_of(said), None, self._lending(said)) for said in self.story["lendings"]]
        return steps

    def _answer(self, said: Mapping[str, Any]) -> Callable[[datetime], None]:
        def step(at: datetime) -> None:
            key = (said["referral"], said["revision"])
            whose = {
                "actor": self.actor(said["by"], at),
                "at": at,
                "ref": self.quotes[said["referral"]],
                "revision_number": said["revision"],
                "offer_number": self.offers.get(key, 1),
            }
            if "services" not in said:
                agree_services(self.tx, **whose)
                return
            services = [
                ServiceInput(ServiceKind(row["kind"]), row["description"], parse_cents(row["amount"]))
                for row in said["services"]
            ]
            offer = counter_services(self.tx, **whose, services=services, note=said["note"])
            self.offers[key] = offer.number

        return step

    def _lending(self, said: Mapping[str, Any]) -> Callable[[datetime], None]:
        def step(at: datetime) -> None:
            first = day_or_none(said.get("first")) or self.today - timedelta(days=said.get("days_ago", 0))
            last = day_or_none(said.get("last")) or self.today + timedelta(days=said.get("last_in_days", 0))
            approver = self.actor(said["by"], at)
            lend_decision(
                self.tx,
                actor=approver,
                at=at,
                approver_id=approver.user_id,
                delegate_id=self.people[said["to"]],
                first_on=first,
                last_on=last,
            )
            self.tx.flush()

        return step
