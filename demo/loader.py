"""Loads the demo's story through the house's own operations, in one transaction."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.forms.imports import open_credit_sheet
from ledger.models.accounts import LedgerEntry
from ledger.operations.disputes import answer_dispute, open_dispute
from ledger.operations.import_runs import problems_of
from ledger.operations.imports import begin_import, finish_import, post_credit_rows
from ledger.operations.levels import set_levels
from ledger.operations.years import close_dealer_year, finish_closing, start_closing
from ledger.queries.imports import check_import, keyed_rows
from ledger.queries.open_items import ledger_open_items
from ledger.queries.years import dealers_to_close
from ledger.rules.credit import LevelStep
from ledger.states import DisputeOutcome, EntryKind
from quotes.models.quotes import Revision
from quotes.operations.cancellations import cancel_order
from quotes.operations.decisions import Evidence, approve_revision, decline_revision, request_changes
from quotes.operations.orders import place_order
from quotes.operations.price_lists import publish_price_list
from quotes.operations.quotes import (
    LineInput,
    ServiceInput,
    save_draft,
    start_quote,
    start_revision,
)
from quotes.operations.returns import return_order
from quotes.operations.shipments import ship_order
from quotes.operations.submissions import submit_revision
from quotes.queries.open_items import quote_open_items
from quotes.queries.order_page import order_page
from quotes.queries.price_lists import NewItem
from quotes.queries.quotes import quote_page
from quotes.rules import ATTESTATIONS
from quotes.states import Category, ReturnReason, ServiceKind
from referral.errors import Refusal
from referral.ids import PublicNumber, new_id
from referral.models import Company, Setting, User
from referral.money import parse_cents, parse_exchange_rate
from referral.operations.companies import add_account_number, add_company, add_qualification
from referral.operations.exchange_rates import set_dealer_currency, set_exchange_rate
from referral.operations.people import add_user
from referral.operations.referrals import (
    accept_referral,
    open_referral,
    refuse_referral,
    withdraw_referral,
)
from referral.operations.settings import change_setting
from referral.permissions import CompanyKind, Role, Viewer
from referral.queries.people import viewer_of
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
    for happened_at, step in loader.timeline():
        step(happened_at)


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


class _Loader:
    """What the story's steps need to know of each other."""

    def __init__(self, tx: Session, story: dict[str, Any], at: datetime, zone: ZoneInfo) -> None:
        self.tx, self.story, self.at, self.zone = tx, story, at, zone
        self.today = at.astimezone(zone).date()
        self.people: dict[str, UUID] = {}
        self.referrals: dict[str, str] = {}
        self.quotes: dict[str, str] = {}
        self.orders: dict[tuple[str, str], str] = {}
        self.disputes: dict[str, str] = {}
        self.minutes: dict[date, int] = {}

    def instant(self, day: date, at_time: str | None = None) -> datetime:
        """Return an instant of the day that keeps the order of the story and is not after now."""
        minute = self.minutes[day] = self.minutes.get(day, 0) + 3
        clock = time.fromisoformat(at_time) if at_time else time(9, 0)
        local = datetime.combine(day, clock, self.zone) + timedelta(minutes=0 if at_time else minute)
        return min(local, self.at)

    def actor(self, person: str) -> Viewer:
        viewer = viewer_of(self.tx, self.people[person])
        if viewer is None:
            raise Refusal("not_found", f"The story names {person}, who is not there.")
        return viewer

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
                    valid_to=_day(number["valid_to"]),
                )
            for qualification in row.get("qualification", ()):
                add_qualification(
                    self.tx,
                    actor=admin,
                    at=at,
                    code=row["code"],
                    valid_from=date.fromisoformat(qualification["valid_from"]),
                    valid_to=_day(qualification["valid_to"]),
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
            (date.fromisoformat(day), None, self._purchases([row for row in purchases if row["on"] == day]))
            for day in sorted({row["on"] for row in purchases})
        ]
        steps += [
            (date.fromisoformat(closing["on"]), None, self._close_year(closing))
            for closing in self.story["closings"]
        ]
        for dispute in self.story["disputes"]:
            steps.append((date.fromisoformat(dispute["on"]), None, self._dispute(dispute)))
            if answer := dispute.get("answer"):
                steps.append((date.fromisoformat(answer["on"]), None, self._answer(dispute, answer)))
        steps.sort(key=lambda step: step[0])
        return [(self.instant(day, at_time), step) for day, at_time, step in steps]

    def day_of(self, said: Mapping[str, Any]) -> date:
        if "on" in said:
            return date.fromisoformat(said["on"])
        return self.today - timedelta(days=said["days_ago"])

    def _purchases(self, rows: list[dict[str, Any]]) -> Callable[[datetime], None]:
        """The distributor's list of a day is imported, as an admin does it from a file."""

        def step(at: datetime) -> None:
            actor = self.actor("program.robin")
            sheet = open_credit_sheet(BytesIO(_purchase_list(rows)), f"distributor-{rows[0]['on']}.csv")
            checked = check_import(self.tx, at=at, file=sheet.file, kind=EntryKind.OTHER_PURCHASE)
            if checked.refused_count:
                raise Refusal("file_has_errors", problems=problems_of(checked))
            started = begin_import(
                self.tx,
                actor=actor,
                at=at,
                kind=checked.kind,
                filename=sheet.filename,
                sha256=sheet.file.sha256,
                row_count=checked.row_count,
                reason="Distributor's list",
            )
            keyed = list(keyed_rows(checked.ground, checked.ordinals, sheet.file))
            post_credit_rows(self.tx, actor=actor, at=at, started=started, rows=keyed)
            finish_import(self.tx, actor=actor, at=at, started=started, good_count=checked.good_count)

        return step

    def _close_year(self, row: dict[str, Any]) -> Callable[[datetime], None]:
        def step(at: datetime) -> None:
            actor, year = self.actor(row["by"]), row["program_year"]
            start_closing(
                self.tx,
                actor=actor,
                at=at,
                program_year=year,
                reason=row["reason"],
                open_items=(ledger_open_items, quote_open_items),
            )
            for dealer_id in dealers_to_close(self.tx, program_year=year):
                close_dealer_year(self.tx, actor=actor, at=at, dealer_id=dealer_id, program_year=year)
            finish_closing(self.tx, actor=actor, at=at, program_year=year)

        return step

    def _dispute(self, row: dict[str, Any]) -> Callable[[datetime], None]:
        def step(at: datetime) -> None:
            actor, posting = self.actor(row["by"]), row["posting"]
            source = posting.get("purchase") or self.orders[tuple(posting["order"])]
            entry = self.tx.scalars(
                sa.select(LedgerEntry).where(
                    LedgerEntry.dealer_id == actor.company_id, LedgerEntry.source == source
                )
            ).one()
            dispute = open_dispute(
                self.tx,
                actor=actor,
                at=at,
                dealer_code=actor.company_code,
                program_year=entry.program_year,
                account_kind=entry.account_kind,
                sequence=entry.sequence,
                claimed_cents=None if row["claimed"] is None else parse_cents(row["claimed"]),
                reason=row["reason"],
                idempotency_key=f"demo-{row['key']}",
            )
            self.disputes[row["key"]] = str(PublicNumber("D", actor.company_code, dispute.number))

        return step

    def _answer(self, row: dict[str, Any], said: dict[str, Any]) -> Callable[[datetime], None]:
        def step(at: datetime) -> None:
            answer_dispute(
                self.tx,
                actor=self.actor(said["by"]),
                at=at,
                ref=self.disputes[row["key"]],
                outcome=DisputeOutcome(said["outcome"]),
                words=said["words"],
                amount_cents=parse_cents(said["amount"]),
                effective_on=date.fromisoformat(said["effective_on"]),
            )

        return step

    def _step(self, referral: dict[str, Any], action: dict[str, Any]) -> Callable[[datetime], None]:
        verb: Callable[[dict[str, Any], dict[str, Any], Viewer, datetime], None] = getattr(self, action["do"])

        def step(at: datetime) -> None:
            verb(referral, action, self.actor(action["by"]), at)

        return step

    def open_referral(self, row: dict[str, Any], _said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        wanted = row["wanted"]
        client = row["client"]
        referral = open_referral(
            self.tx,
            actor=actor,
            at=at,
            account_code=row["account"],
            project_name=row["project"],
            place=f"{row['city']}, {row['state']}",
            spaces=", ".join(row["spaces"]),
            wanted_on=_day(wanted.get("on")) or self.today + timedelta(days=wanted.get("in_days", 0)),
            client_name=client["name"],
            client_contact=f"{client['email']}, {client['phone']}",
            client_shared=client["visible_to_account"],
            is_suitable=True,
        )
        self.referrals[row["key"]] = str(PublicNumber("R", actor.company_code, referral.number))

    def accept_referral(
        self, row: dict[str, Any], _said: dict[str, Any], actor: Viewer, at: datetime
    ) -> None:
        accept_referral(self.tx, actor=actor, at=at, ref=self.referrals[row["key"]])

    def refuse_referral(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        refuse_referral(self.tx, actor=actor, at=at, ref=self.referrals[row["key"]], reason=said["reason"])

    def withdraw_referral(
        self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime
    ) -> None:
        withdraw_referral(self.tx, actor=actor, at=at, ref=self.referrals[row["key"]], reason=said["reason"])

    def draft_quote(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        kept: dict[tuple[str, str], UUID] = {}
        if row["key"] not in self.quotes:
            _, self.quotes[row["key"]] = start_quote(
                self.tx, actor=actor, at=at, referral_ref=self.referrals[row["key"]]
            )
        else:
            start_revision(self.tx, actor=actor, at=at, ref=self.quotes[row["key"]])
            for each in self._lines(row, said["revision"], actor, at):
                kept[each.room, each.model_number] = each.line_id
        services = said["services"]
        save_draft(
            self.tx,
            actor=actor,
            at=at,
            ref=self.quotes[row["key"]],
            revision_number=said["revision"],
            draft_version=None,
            account_number=said["account_number"],
            note="",
            lines=[
                LineInput(
                    line["model_number"],
                    line["quantity"],
                    line["room"],
                    kept.get((line["room"], line["model_number"])),
                )
                for line in said["lines"]
            ],
            services=[]
            if services == "none"
            else [
                ServiceInput(
                    ServiceKind(service["kind"]), service["description"], parse_cents(service["amount"])
                )
                for service in services
            ],
            has_no_services=services == "none",
        )

    def _lines(self, row: dict[str, Any], revision: int, actor: Viewer, at: datetime) -> list[Any]:
        page = quote_page(self.tx, viewer=actor, at=at, ref=self.quotes[row["key"]], revision_number=revision)
        return [line.line for line in page.lines]

    def submit(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        submit_revision(
            self.tx,
            actor=actor,
            at=at,
            ref=self.quotes[row["key"]],
            revision_number=said["revision"],
            draft_version=None,
        )

    def _revision(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> Revision:
        page = quote_page(
            self.tx, viewer=actor, at=at, ref=self.quotes[row["key"]], revision_number=said["revision"]
        )
        return page.revision

    def approve(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        revision = self._revision(row, said, actor, at)
        approve_revision(
            self.tx,
            actor=actor,
            at=at,
            ref=self.quotes[row["key"]],
            revision_number=revision.number,
            digest=str(revision.digest),
            attested=frozenset(ATTESTATIONS),
            typed_account_number=revision.account_number,
            typed_name=actor.name,
            evidence=Evidence(address="127.0.0.1", browser="demo", login="demo"),
        )

    def request_changes(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        revision = self._revision(row, said, actor, at)
        lines = self._lines(row, revision.number, actor, at)
        request_changes(
            self.tx,
            actor=actor,
            at=at,
            ref=self.quotes[row["key"]],
            revision_number=revision.number,
            digest=str(revision.digest),
            reason=said["reason"],
            remarks={lines[remark["line"] - 1].line_id: remark["text"] for remark in said["remarks"]},
        )

    def decline(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        revision = self._revision(row, said, actor, at)
        decline_revision(
            self.tx,
            actor=actor,
            at=at,
            ref=self.quotes[row["key"]],
            revision_number=revision.number,
            digest=str(revision.digest),
            reason=said["reason"],
        )

    def place_order(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        quantities = None
        if said["lines"] != "all":
            lines = self._lines(row, said["revision"], actor, at)
            quantities = {lines[line["line"] - 1].line_id: line["quantity"] for line in said["lines"]}
        _, self.orders[row["key"], said["order"]] = place_order(
            self.tx,
            actor=actor,
            at=at,
            ref=self.quotes[row["key"]],
            revision_number=said["revision"],
            quantities=quantities,
            purchase_order=f"DM-{row['key'].replace('_', '-').upper()}-{said['order']}",
            idempotency_key=f"demo-{row['key']}-{said['order']}",
        )

    def _units(
        self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime
    ) -> dict[UUID, int] | None:
        """Return the units that are said of lines of the order's revision; None for all."""
        if said["lines"] == "all":
            return None
        ref = self.orders[row["key"], said["order"]]
        number = order_page(self.tx, viewer=actor, ref=ref).order.revision_number
        lines = self._lines(row, number, actor, at)
        return {lines[line["line"] - 1].line_id: line["quantity"] for line in said["lines"]}

    def ship(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        ship_order(
            self.tx,
            actor=actor,
            at=at,
            ref=self.orders[row["key"], said["order"]],
            quantities=self._units(row, said, actor, at),
            shipped_on=at.astimezone(self.zone).date(),
            carrier=said["carrier"],
            tracking_number=said["tracking"],
            idempotency_key=f"demo-{row['key']}-{said['order']}-ship",
        )

    def take_back(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        return_order(
            self.tx,
            actor=actor,
            at=at,
            ref=self.orders[row["key"], said["order"]],
            quantities=self._units(row, said, actor, at),
            reason=ReturnReason(said["reason"]),
            words=said["words"],
            idempotency_key=f"demo-{row['key']}-{said['order']}-return",
        )

    def cancel(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        cancel_order(
            self.tx,
            actor=actor,
            at=at,
            ref=self.orders[row["key"], said["order"]],
            quantities=self._units(row, said, actor, at),
            reason=said["reason"],
            idempotency_key=f"demo-{row['key']}-{said['order']}-cancel",
        )


def _purchase_list(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return other purchases as the distributor sends them: a day past the year counts on the year's last."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(("Dealer", "Day", "Amount", "Document"))
    for row in rows:
        day = min(row["on"], f"{row['credit_year']}-12-31")
        writer.writerow((row["dealer"], day, row["amount"], row["reference"]))
    return out.getvalue().encode()


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
