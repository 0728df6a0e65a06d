"""The story's plans: milestones and trades of projects, with days counted from the day of loading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from demo.stage import Stage
from quotes.operations.projects import add_trade, set_milestone
from quotes.states import MilestoneKind


class PlanSteps(Stage):
    """What both sides say of their projects' days."""

    def plan_steps(self) -> list[tuple[date, str | None, Callable[[datetime], None]]]:
        """Return every step of the plans with its day."""
        numbers: dict[tuple[str, str], int] = {}
        steps: list[tuple[date, str | None, Callable[[datetime], None]]] = []
        for plan in self.story["plans"]:
            for said in plan["milestones"]:
                key = (plan["referral"], said["kind"])
                steps.append((self.day_of(said), None, self._milestone(plan, said, numbers.get(key, 0))))
                numbers[key] = numbers.get(key, 0) + 1
            steps += [(self.day_of(said), None, self._trade(plan, said)) for said in plan["trades"]]
        return steps

    def _milestone(
        self, plan: Mapping[str, Any], said: Mapping[str, Any], number: int
    ) -> Callable[[datetime], None]:
        def step(at: datetime) -> None:
            set_milestone(
                self.tx,
                actor=self.actor(said["by"]),
                at=at,
                ref=self.referrals[plan["referral"]],
                kind=MilestoneKind(said["kind"]),
                number=number,
                planned_on=self._in_days(said.get("planned")),
                forecast_on=self._in_days(said.get("forecast")),
                actual_on=self._in_days(said.get("actual")),
                owner=said["owner"],
                slip_reason=said.get("slip_reason", ""),
            )
            self.tx.flush()

        return step

    def _trade(self, plan: Mapping[str, Any], said: Mapping[str, Any]) -> Callable[[datetime], None]:
        def step(at: datetime) -> None:
            add_trade(
                self.tx,
                actor=self.actor(said["by"]),
                at=at,
                ref=self.referrals[plan["referral"]],
                trade=said["trade"],
                name=said["name"],
                contact=said["contact"],
                scope=said["scope"],
                agreed_on=self._in_days(said.get("agreed")),
                done_on=self._in_days(said.get("done")),
            )

        return step

    def _in_days(self, days: int | None) -> date | None:
        """Return the day so many days after the day of loading; before it where below 0."""
        return None if days is None else self.today + timedelta(days=days)
