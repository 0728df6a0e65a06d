"""The story's warranty: terms, what became of the units that shipped, serial numbers, claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from demo.stage import Stage
from quotes.models.orders import Order
from quotes.models.quotes import RevisionLine
from referral.ids import PublicNumber, parse_public_number
from referral.models import Company
from referral.permissions import Viewer
from warranty.forms.serials import open_serial_sheet
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource
from warranty.operations.claims import open_claim
from warranty.operations.claims_deciding import decide_claim
from warranty.operations.claims_fulfilling import fulfil_claim, swap_claim
from warranty.operations.events import record_source_event, record_swap
from warranty.operations.project_events import record_project_events
from warranty.operations.serial_imports import SerialBatch, begin_serial_import, take_in_serials
from warranty.operations.sites import add_site
from warranty.operations.splits import split_source
from warranty.operations.terms import set_term
from warranty.rules.terms import TermInput
from warranty.states import IN_PLACE, SourceEventKind, StartRule

FOLDER = Path(__file__).parent

Step = tuple[date, str | None, Callable[[datetime], None]]
Said = Mapping[str, Any]


class WarrantySteps(Stage):
    """What becomes of units after they shipped; all of it invented."""

    def warranty_steps(self) -> list[Step]:
        """Return every step of the warranty, with its day."""
        self.claims: dict[str, str] = {}
        return [
            (self.day_of(said), None, self._warranty_step(said)) for said in self.story["warranty"]["steps"]
        ]

    def set_warranty_terms(self, at: datetime) -> None:
        """The program sets the terms of each family but one."""
        said = self.story["warranty"]
        for row in said["terms"]:
            term = TermInput(
                family=row["family"],
                valid_from=date.fromisoformat(said["terms_from"]),
                months=row["months"],
                start_rule=StartRule(row["start"]),
                cap_days=row["cap_days"],
                covers_parts=True,
                covers_labor=row["labor"],
                report_days=row["report_days"],
                replacement_days=row["replacement_days"],
                source="Demo value, invented",
                reason="Set up for the demo.",
            )
            set_term(self.tx, actor=self.actor(said["terms_by"]), at=at, said=term)

    def _warranty_step(self, said: Said) -> Callable[[datetime], None]:
        verbs: Mapping[str, Callable[[Said, Viewer, datetime], object]] = {
            "record_together": self._record_together,
            "add_site": self._add_site,
            "move": self._move,
            "swap": self._swap,
            "import_serials": self._import_serials,
            "claim": self._claim,
            "decide": self._decide,
            "fulfil": self._fulfil,
            "swap_claimed": self._swap_claimed,
        }

        def step(at: datetime) -> None:
            verbs[said["do"]](said, self.actor(said["by"], at), at)
            self.tx.flush()

        return step

    def _record_together(self, said: Said, actor: Viewer, at: datetime) -> None:
        """What is in place of a project, an order or a room was delivered or commissioned that day."""
        record_project_events(
            self.tx,
            actor=actor,
            at=at,
            ref=self.referrals[said["referral"]],
            kind=SourceEventKind(said["kind"]),
            happened_on=self.day_of(said),
            site_number=None,
            new_room="",
            source_refs=None,
            room=said.get("room"),
            order_ref=self.orders[said["referral"], said["order"]] if "order" in said else "",
            count=None,
        )

    def _add_site(self, said: Said, actor: Viewer, at: datetime) -> None:
        add_site(
            self.tx,
            actor=actor,
            at=at,
            ref=self.referrals[said["referral"]],
            name=said["name"],
            place=said["place"],
            time_zone=said["time_zone"],
        )

    def _move(self, said: Said, actor: Viewer, at: datetime) -> None:
        """Some units of a line are at another site from that day on."""
        part = split_source(
            self.tx,
            actor=actor,
            at=at,
            ref=self._source(said),
            event_count=None,
            quantity=said["quantity"],
            room="",
        )
        record_source_event(
            self.tx,
            actor=actor,
            at=at,
            ref=self._ref("U", part.dealer_id, part.number),
            event_count=None,
            kind=SourceEventKind.MOVED,
            happened_on=self.day_of(said),
            site_number=said["site"],
            room=said["room"],
            reason="",
        )

    def _swap(self, said: Said, actor: Viewer, at: datetime) -> None:
        """The replacement of a line took the place of as many units."""
        record_swap(
            self.tx,
            actor=actor,
            at=at,
            ref=self._source(said),
            new_ref=self._source(said, is_replacement=True),
            happened_on=self.day_of(said),
            reason=said["reason"],
        )

    def _import_serials(self, said: Said, actor: Viewer, at: datetime) -> None:
        """The installer takes in a file of serial numbers."""
        content = BytesIO((FOLDER / said["file"]).read_bytes())
        file = open_serial_sheet(content, said["file"]).file
        lines = list(file.lines())
        ref, batch = self.referrals[said["referral"]], SerialBatch(0, lines, {})
        begin_serial_import(
            self.tx,
            actor=actor,
            at=at,
            ref=ref,
            filename=file.filename,
            sha256=file.sha256,
            row_count=len(lines),
            good_only=False,
        )
        take_in_serials(self.tx, actor=actor, at=at, ref=ref, sha256=file.sha256, batch=batch)

    def _claim(self, said: Said, actor: Viewer, at: datetime) -> None:
        failed_on = (
            self.today - timedelta(days=said["failed_days_ago"])
            if "failed_days_ago" in said
            else date.fromisoformat(said["failed_on"])
        )
        claim = open_claim(
            self.tx,
            actor=actor,
            at=at,
            ref=self._source(said),
            quantity=said["quantity"],
            problem=said["problem"],
            failed_on=failed_on,
            idempotency_key=f"demo-{said['key']}",
        )
        self.claims[said["key"]] = self._ref("C", claim.dealer_id, claim.number)

    def _decide(self, said: Said, actor: Viewer, at: datetime) -> Claim:
        return decide_claim(
            self.tx,
            actor=actor,
            at=at,
            ref=self.claims[said["claim"]],
            is_accepted=said["accepted"],
            reason=said["reason"],
        )

    def _fulfil(self, said: Said, actor: Viewer, at: datetime) -> Claim:
        ref = self.claims[said["claim"]]
        return fulfil_claim(self.tx, actor=actor, at=at, ref=ref, is_replaced=True, words="")

    def _swap_claimed(self, said: Said, actor: Viewer, at: datetime) -> Claim:
        ref = self.claims[said["claim"]]
        return swap_claim(self.tx, actor=actor, at=at, ref=ref, swapped_on=self.day_of(said))

    def _source(self, said: Said, *, is_replacement: bool = False) -> str:
        """Return the first source in place of an order's line: of what was ordered, or of what replaced it."""
        number = parse_public_number(self.orders[said["referral"], said["order"]], "O")
        column = InstalledSource.replacement_number
        source, code = self.tx.execute(
            sa.select(InstalledSource, Company.code)
            .join(Company, Company.id == InstalledSource.dealer_id)
            .join(Order, sa.and_(Order.dealer_id == Company.id, Order.id == InstalledSource.order_id))
            .join(
                RevisionLine,
                sa.and_(
                    RevisionLine.dealer_id == Order.dealer_id,
                    RevisionLine.quote_id == Order.quote_id,
                    RevisionLine.revision_number == Order.revision_number,
                    RevisionLine.line_id == InstalledSource.line_id,
                ),
            )
            .where(
                Company.code == number.dealer_code if number else sa.false(),
                Order.number == number.number if number else sa.false(),
                RevisionLine.position == said["line"],
                InstalledSource.standing.in_(IN_PLACE),
                column.is_not(None) if is_replacement else column.is_(None),
            )
            .order_by(InstalledSource.number)
            .limit(1)
        ).one()
        return str(PublicNumber("U", code, source.number))

    def _ref(self, letter: str, dealer_id: UUID, number: int) -> str:
        return str(PublicNumber(letter, self.tx.get_one(Company, dealer_id).code, number))
