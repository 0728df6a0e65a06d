"""What the story shows of accounts to choose from: profiles, a parked, an expired and a continued referral."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from demo.stage import Stage
from referral.ids import PublicNumber
from referral.operations.assignments import continue_referral
from referral.operations.profiles import save_account_profile
from referral.operations.referrals import open_referral


class ChoiceSteps(Stage):
    """Steps that come after the story's own, each on its day; all of it is invented."""

    def make_choices(self) -> None:
        """Two accounts describe themselves; one project is parked, one expired, one goes on."""
        said = self.story["choices"]
        for profile in said["profiles"]:
            save_account_profile(
                self.tx,
                actor=self.actor(profile["by"]),
                at=self.instant(date.fromisoformat(profile["on"])),
                regions=profile["regions"],
                capacity=profile["capacity"],
                note=profile["note"],
            )
        self.tx.flush()
        for key in ("expired", "parked"):
            self.referrals[key] = self._refer(said[key], self.instant(self.day_of(said[key])))
        continued = said["continued"]
        continue_referral(
            self.tx,
            actor=self.actor(continued["by"]),
            at=self.instant(self.day_of(continued)),
            ref=self.referrals[continued["referral"]],
            last_on=self.today + timedelta(days=continued["for_days"]),
            reason=continued["reason"],
        )

    def _refer(self, said: dict[str, Any], at: datetime) -> str:
        """Refer a project like one of the story's to another account; return its number."""
        row = next(each for each in self.story["referrals"] if each["key"] == said["like"]) | said
        actor = self.actor(said["by"])
        referral = open_referral(
            self.tx,
            actor=actor,
            at=at,
            account_code=row["account"],
            project_name=row["project"],
            place=f"{row['city']}, {row['state']}",
            spaces=", ".join(row["spaces"]),
            wanted_on=self.today + timedelta(days=120),
            client_name=row["client"]["name"],
            client_contact="",
            client_shared=False,
            is_suitable=True,
        )
        self.tx.flush()
        return str(PublicNumber("R", actor.company_code, referral.number))
