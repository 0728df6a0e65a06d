"""The story's steps of a project: referral, quote, approval, order and what becomes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from demo.stage import Stage, day_or_none
from quotes.models.quotes import Revision
from quotes.operations.cancellations import cancel_order
from quotes.operations.decisions import Evidence, approve_revision, decline_revision, request_changes
from quotes.operations.hints import ignore_hint
from quotes.operations.orders import place_order
from quotes.operations.quotes import (
    LineInput,
    ServiceInput,
    save_draft,
    start_quote,
    start_revision,
)
from quotes.operations.replacements import order_replacement
from quotes.operations.returns import return_order
from quotes.operations.shipments import ship_order
from quotes.operations.submissions import submit_revision
from quotes.queries.order_page import order_page
from quotes.queries.quotes import quote_page
from quotes.rules.content import ATTESTATIONS
from quotes.states import ReturnReason, ServiceKind
from referral.ids import PublicNumber
from referral.money import parse_cents
from referral.operations.referrals import (
    accept_referral,
    open_referral,
    refuse_referral,
    withdraw_referral,
)
from referral.permissions import Viewer


class ProjectSteps(Stage):
    """One method per verb of the story: the project, what the step says, who does it, when."""

    def open_referral(self, row: dict[str, Any], _said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        """The dealer refers the project."""
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
            wanted_on=day_or_none(wanted.get("on")) or self.today + timedelta(days=wanted.get("in_days", 0)),
            client_name=client["name"],
            client_contact=f"{client['email']}, {client['phone']}",
            client_shared=client["visible_to_account"],
            is_suitable=True,
        )
        self.referrals[row["key"]] = str(PublicNumber("R", actor.company_code, referral.number))

    def accept_referral(
        self, row: dict[str, Any], _said: dict[str, Any], actor: Viewer, at: datetime
    ) -> None:
        """The account accepts."""
        accept_referral(self.tx, actor=actor, at=at, ref=self.referrals[row["key"]])

    def refuse_referral(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        """The account refuses, with a reason."""
        refuse_referral(self.tx, actor=actor, at=at, ref=self.referrals[row["key"]], reason=said["reason"])

    def withdraw_referral(
        self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime
    ) -> None:
        """The dealer withdraws."""
        withdraw_referral(self.tx, actor=actor, at=at, ref=self.referrals[row["key"]], reason=said["reason"])

    def draft_quote(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        """The account fills the next draft."""
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
        for left in said.get("leaves_out", ()):
            ignore_hint(self.tx, actor=actor, at=at, ref=self.quotes[row["key"]], **left)

    def _lines(self, row: dict[str, Any], revision: int, actor: Viewer, at: datetime) -> list[Any]:
        page = quote_page(self.tx, viewer=actor, at=at, ref=self.quotes[row["key"]], revision_number=revision)
        return [line.line for line in page.lines]

    def submit(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        """The account submits it."""
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
        """The dealer approves it."""
        revision = self._revision(row, said, actor, at)
        approve_revision(
            self.tx,
            actor=actor,
            at=at,
            ref=self.quotes[row["key"]],
            revision_number=revision.number,
            digest=str(revision.digest),
            offer_number=self.offers.get((row["key"], revision.number)),
            attested=frozenset(ATTESTATIONS),
            typed_account_number=revision.account_number,
            typed_name=actor.name,
            evidence=Evidence(address="127.0.0.1", browser="demo", login="demo"),
        )

    def request_changes(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        """The dealer asks for changes."""
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
        """The dealer declines."""
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
        """The account enters the order."""
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
            wanted_on=day_or_none(said.get("wanted_on")),
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
        """The account records a shipment."""
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
        """The account records a return."""
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

    def order_replacement(
        self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime
    ) -> None:
        """The account replaces failed units under warranty."""
        order_replacement(
            self.tx,
            actor=actor,
            at=at,
            ref=self.orders[row["key"], said["order"]],
            quantities=self._units(row, said, actor, at) or {},
            reason=said["reason"],
            failed_on=day_or_none(said["failed_on"]),
            idempotency_key=f"demo-{row['key']}-{said['order']}-replace",
        )

    def cancel(self, row: dict[str, Any], said: dict[str, Any], actor: Viewer, at: datetime) -> None:
        """The account cancels what has not shipped."""
        cancel_order(
            self.tx,
            actor=actor,
            at=at,
            ref=self.orders[row["key"], said["order"]],
            quantities=self._units(row, said, actor, at),
            reason=said["reason"],
            idempotency_key=f"demo-{row['key']}-{said['order']}-cancel",
        )
