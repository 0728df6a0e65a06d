"""Where the story plays: its people, its instants, and what its steps made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.permissions import Viewer
from referral.queries.people import viewer_of


class Stage:
    """What the story's steps need to know of each other."""

    def __init__(self, tx: Session, story: dict[str, Any], at: datetime, zone: ZoneInfo) -> None:
        self.tx, self.story, self.at, self.zone = tx, story, at, zone
        self.today = at.astimezone(zone).date()
        self.people: dict[str, UUID] = {}
        self.referrals: dict[str, str] = {}
        self.quotes: dict[str, str] = {}
        self.orders: dict[tuple[str, str], str] = {}
        self.disputes: dict[str, str] = {}
        self.offers: dict[tuple[str, int], int] = {}
        self.minutes: dict[date, int] = {}

    def instant(self, day: date, at_time: str | None = None) -> datetime:
        """Return an instant of the day that keeps the order of the story and is not after now."""
        minute = self.minutes[day] = self.minutes.get(day, 0) + 3
        clock = time.fromisoformat(at_time) if at_time else time(9, 0)
        local = datetime.combine(day, clock, self.zone) + timedelta(minutes=0 if at_time else minute)
        return min(local, self.at)

    def actor(self, person: str, at: datetime | None = None) -> Viewer:
        """Return a person of the story as the one who acts at an instant, by default today."""
        viewer = viewer_of(self.tx, self.people[person], at=at or self.at)
        if viewer is None:
            raise Refusal("not_found", f"The story names {person}, who is not there.")
        return viewer

    def day_of(self, said: Mapping[str, Any]) -> date:
        """Return the day of a step: its own, or so many days before loading."""
        if "on" in said:
            return date.fromisoformat(said["on"])
        return self.today - timedelta(days=said["days_ago"])


def day_or_none(text: str | None) -> date | None:
    """Return the day of a text such as 2026-05-04, None of none."""
    return None if text is None else date.fromisoformat(text)
