"""Loads the demo's story through the house's own operations, in one transaction."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from demo.choices import ChoiceSteps
from demo.credit import CreditSteps
from demo.desk import DeskSteps
from demo.plans import PlanSteps
from demo.project import ProjectSteps
from demo.revisions import RevisionSteps
from demo.stage import day_or_none
from demo.support import SupportSteps
from demo.talks import TalkSteps
from ledger.operations.levels import set_levels
from ledger.rules.credit import LevelStep
from quotes.operations.price_lists import publish_price_list
from quotes.queries.price_lists import NewItem
from quotes.rules.hints import parse_goes_with, write_goes_with
from quotes.states import Category
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Company, Setting, User
from referral.money import parse_cents, parse_exchange_rate
from referral.operations.companies import add_account_number, add_company, add_qualification
from referral.operations.exchange_rates import set_dealer_currency, set_exchange_rate
from referral.operations.people import add_user
from referral.operations.settings import change_setting
from referral.permissions import CompanyKind, Role, Viewer
from referral.queries.settings import is_demo

FOLDER = Path(__file__).parent
START = date(2024, 1, 2)
"""The day on which the demo's companies and people are set up."""

SIGN_INS = (
    ("dealer approver", "harbor.ines"),
    ("dealer viewer", "harbor.tom"),
    ("dealer company admin", "harbor.greta"),
    ("dealer just short of a level", "juniper.maya"),
    ("dealer quoted in another currency", "maple.odile"),
    ("account builder", "daybreak.jonah"),
    ("account builder of another account", "prism.tova"),
    ("account viewer", "prism.pip"),
    ("account installer", "prism.marcus"),
    ("account company admin", "prism.alma"),
    ("account whose qualification ended", "tallow.clement"),
    ("program admin", "program.robin"),
    ("program auditor", "program.lena"),
)
"""(kind of user, person of the story) who get a password."""


def load_demo(
    tx: Session, *, at: datetime, zone: str, hash_password: Callable[[str], str], passwords: Mapping[str, str]
) -> None:
    """The database holds the whole story as of `at`, and is marked as a demo.

    `passwords` maps people of the story to what they sign in with; nobody else can sign in. Raises
    Refusal(not_pending) where the database holds companies already.
    """
    if tx.scalars(sa.select(Company.id).limit(1)).first() is not None:
        raise Refusal("not_pending", "This database is in use: the demo wants an empty one.")
    story = json.loads((FOLDER / "story.json").read_text(encoding="utf-8"))
    loader = _Loader(tx, story, at, ZoneInfo(zone))
    loader.add_companies_and_people({key: hash_password(text) for key, text in passwords.items()})
    loader.publish_price_lists()
    loader.set_settings_and_levels()
    loader.set_exchange_rates()
    loader.set_warranty_terms(loader.instant(START))
    loader.load_service_catalogue(loader.instant(START))
    for happened_at, step in loader.timeline():
        step(happened_at)
    loader.make_choices()


def reissue_passwords(
    tx: Session, *, hash_password: Callable[[str], str], passwords: Mapping[str, str]
) -> None:
    """The people of SIGN_INS sign in with these passwords. Raises Refusal(not_found) without a demo."""
    if not is_demo(tx):
        raise Refusal("not_found", "There is no demo in this database.")
    for key, text in passwords.items():
        user = tx.scalars(sa.select(User).where(User.email == email_of(key))).one()
        user.password_hash = hash_password(text)


def email_of(person: str) -> str:
    """Return the e-mail address of a person of the story."""
    story = json.loads((FOLDER / "story.json").read_text(encoding="utf-8"))
    return next(str(row["email"]) for row in story["people"] if row["key"] == person)


class _Loader(
    ChoiceSteps, ProjectSteps, PlanSteps, TalkSteps, RevisionSteps, DeskSteps, CreditSteps, SupportSteps
):
    """The whole story: what is there at its start, and its steps by date."""

    def add_companies_and_people(self, hashes: Mapping[str, str]) -> None:
        companies = self.story["companies"]
        at = self.instant(START)
        rows = [(companies["program"], CompanyKind.PROGRAM)]
        rows += [(row, CompanyKind.DEALER) for row in companies["dealers"]]
        rows += [(row, CompanyKind.ACCOUNT) for row in companies["accounts"]]
        kinds = {row["code"]: kind for row, kind in rows}
        ids: dict[str, UUID] = {}
        for row, kind in rows:
            serves = f"{', '.join(row['regions'])}; capacity: {row['capacity']}" if "regions" in row else ""
            company = add_company(
                self.tx,
                actor=None,
                at=at,
                code=row["code"],
                name=row["name"],
                kinds=frozenset({kind}),
                city=row["city"],
                region=row["state"],
                serves=serves,
                active_from=START,
            )
            ids[row["code"]] = company.id
        for row in self.story["people"]:
            user = add_user(
                self.tx,
                actor=None,
                at=at,
                company_id=ids[row["company"]],
                name=row["name"],
                email=row["email"],
                roles=[Role(f"{kinds[row['company']]}_{role}") for role in row["roles"]],
                password_hash=hashes.get(row["key"]),
            )
            self.people[row["key"]] = user.id
        self.tx.flush()
        admin = self.actor("program.robin")
        for row, _ in rows[1:]:
            if "currency" in row:
                set_dealer_currency(
                    self.tx,
                    actor=admin,
                    at=at,
                    code=row["code"],
                    currency=row["currency"],
                    reason="Set up for the demo.",
                )
            for number in row["account_numbers"]:
                add_account_number(
                    self.tx,
                    actor=admin,
                    at=at,
                    code=row["code"],
                    number=number["number"],
                    valid_from=date.fromisoformat(number["valid_from"]),
                    valid_to=day_or_none(number["valid_to"]),
                )
            for qualification in row.get("qualification", ()):
                add_qualification(
                    self.tx,
                    actor=admin,
                    at=at,
                    code=row["code"],
                    valid_from=date.fromisoformat(qualification["valid_from"]),
                    valid_to=day_or_none(qualification["valid_to"]),
                    evidence=qualification["evidence"],
                )

    def publish_price_lists(self) -> None:
        for row in self.story["price_lists"]:
            content = (FOLDER / row["file"]).read_bytes()
            items = [
                NewItem(
                    model_number=item["model_number"],
                    description=item["description"],
                    family=item["family"],
                    category=Category(item["category"]),
                    unit=item["unit"],
                    list_price_cents=parse_cents(item["list_price"]),
                    goes_with=write_goes_with(parse_goes_with(item["goes_with"])),
                )
                for item in csv.DictReader(content.decode().splitlines())
            ]
            publish_price_list(
                self.tx,
                actor=self.actor(row["by"]),
                at=self.instant(date.fromisoformat(row["published"]["on"])),
                items=items,
                valid_from=date.fromisoformat(row["valid_from"]),
                source=row["file"],
                source_sha256=hashlib.sha256(content).hexdigest(),
                currency=row.get("currency"),
            )

    def set_exchange_rates(self) -> None:
        for row in self.story["exchange_rates"]:
            first_day = date.fromisoformat(row["valid_from"])
            set_exchange_rate(
                self.tx,
                actor=self.actor("program.robin"),
                at=self.instant(first_day),
                currency=row["currency"],
                rate=parse_exchange_rate(row["rate"]),
                valid_from=first_day,
                reason="Set up for the demo.",
                source=row["source"],
            )

    def set_settings_and_levels(self) -> None:
        admin = self.actor("program.robin")
        at = self.instant(START)
        for row in self.story["settings"]:
            change_setting(
                self.tx,
                actor=admin,
                at=at,
                key=row["key"],
                value=row["value"],
                valid_from=date.fromisoformat(row["valid_from"]),
                valid_to=None,
                reason="Set up for the demo.",
                source=row["source"],
            )
        levels = {row["level_year"]: row["thresholds"] for row in self.story["levels"]}
        newest = max(levels)
        for level_year in range(min(levels), max(newest, self.today.year + 1) + 1):
            set_levels(
                self.tx,
                actor=admin,
                at=at,
                level_year=level_year,
                levels=[
                    LevelStep(step["level"], parse_cents(step["from_total"]))
                    for step in levels.get(level_year, levels[newest])
                ],
                reason="Set up for the demo.",
                source="Demo value, invented",
            )
        self.tx.add(
            Setting(
                id=new_id(),
                key="demo",
                value="on",
                valid_from=START,
                valid_to=None,
                reason="Invented data.",
                source="",
                changed_by=admin.user_id,
                changed_at=at,
            )
        )

    def timeline(self) -> list[tuple[datetime, Callable[[datetime], None]]]:
        """Return every step of the story by date, each with its instant."""
        purchases = self.story["other_purchases"]
        steps = [
            (self.day_of(action), action.get("at"), self._step(referral, action))
            for referral in self.story["referrals"]
            for action in referral["actions"]
        ]
        steps += [
            (date.fromisoformat(day), None, self.purchases([row for row in purchases if row["on"] == day]))
            for day in sorted({row["on"] for row in purchases})
        ]
        steps += [
            (date.fromisoformat(closing["on"]), None, self.close_year(closing))
            for closing in self.story["closings"]
        ]
        for dispute in self.story["disputes"]:
            steps.append((date.fromisoformat(dispute["on"]), None, self.dispute(dispute)))
            if answer := dispute.get("answer"):
                steps.append((date.fromisoformat(answer["on"]), None, self.answer(dispute, answer)))
        steps += self.plan_steps()
        steps += self.talk_steps()
        steps += self.revision_steps()
        steps += self.desk_steps()
        steps += self.warranty_steps()
        steps += self.support_steps()
        steps.sort(key=lambda step: step[0])
        return [(self.instant(day, at_time), step) for day, at_time, step in steps]

    def _step(self, referral: dict[str, Any], action: dict[str, Any]) -> Callable[[datetime], None]:
        verb: Callable[[dict[str, Any], dict[str, Any], Viewer, datetime], None] = getattr(self, action["do"])

        def step(at: datetime) -> None:
            verb(referral, action, self.actor(action["by"], at), at)

        return step
