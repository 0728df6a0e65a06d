"""The story's change orders, remarks and recalled prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from demo.stage import Stage
from quotes.operations.quotes import LineInput, ServiceInput, save_draft, start_revision
from quotes.operations.recalls import recall_prices, tell_of_recalls
from quotes.operations.remarks import add_remark
from quotes.operations.submissions import submit_revision
from quotes.queries.quotes import quote_page
from quotes.queries.recalls import dealers_to_tell

Step = tuple[date, str | None, Callable[[datetime], None]]


class RevisionSteps(Stage):
    """What becomes of revisions after they are submitted; all of it invented."""

    def revision_steps(self) -> list[Step]:
        """Return every change order, remark and recall, with its day."""
        said = self.story["revisions"]
        steps: list[Step] = [
            (self.day_of(row), None, self._change_order(row)) for row in said["change_orders"]
        ]
        steps += [(self.day_of(row), None, self._remark(row)) for row in said["remarks"]]
        steps += [(self.day_of(row), None, self._recall(row)) for row in said["recalls"]]
        return steps

    def _change_order(self, said: Mapping[str, Any]) -> Callable[[datetime], None]:
        """Copy the newest revision, change the lines that are named, add others, and submit it."""

        def step(at: datetime) -> None:
            actor, ref = self.actor(said["by"], at), self.quotes[said["referral"]]
            number = start_revision(self.tx, actor=actor, at=at, ref=ref).number
            self.tx.flush()
            page = quote_page(self.tx, viewer=actor, at=at, ref=ref)
            changes = {change["line"]: change for change in said["changes"]}
            lines = []
            for position, row in enumerate(page.lines, 1):
                change = changes.get(position, {})
                quantity, room = change.get("quantity", row.line.quantity), change.get("room", row.line.room)
                if quantity:
                    lines.append(LineInput(row.line.model_number, quantity, room, row.line.line_id))
            lines += [LineInput(new["model_number"], new["quantity"], new["room"]) for new in said["added"]]
            save_draft(
                self.tx,
                actor=actor,
                at=at,
                ref=ref,
                revision_number=number,
                draft_version=None,
                account_number=page.revision.account_number,
                note=said["note"],
                lines=lines,
                services=[ServiceInput(row.kind, row.description, row.amount_cents) for row in page.services],
                has_no_services=not page.services,
            )
            submit_revision(self.tx, actor=actor, at=at, ref=ref, revision_number=number, draft_version=None)

        return step

    def _remark(self, said: Mapping[str, Any]) -> Callable[[datetime], None]:
        def step(at: datetime) -> None:
            actor, ref = self.actor(said["by"], at), self.quotes[said["referral"]]
            page = quote_page(self.tx, viewer=actor, at=at, ref=ref, revision_number=said["revision"])
            add_remark(
                self.tx,
                actor=actor,
                at=at,
                ref=ref,
                revision_number=said["revision"],
                line_id=page.lines[said["line"] - 1].line.line_id if "line" in said else None,
                text=said["text"],
            )
            self.tx.flush()

        return step

    def _recall(self, said: Mapping[str, Any]) -> Callable[[datetime], None]:
        """Recall a price of the list on which a quote of the story stands, and tell everybody it touches."""

        def step(at: datetime) -> None:
            actor = self.actor(said["by"], at)
            page = quote_page(
                self.tx, viewer=actor, at=at, ref=self.quotes[said["referral"]], revision_number=1
            )
            recall_prices(
                self.tx,
                actor=actor,
                at=at,
                version=0 if page.price_list is None else page.price_list.version,
                model_numbers=[said["model_number"]],
                reason=said["reason"],
            )
            for dealer_id in dealers_to_tell(self.tx, at=at):
                tell_of_recalls(self.tx, actor=actor, at=at, dealer_id=dealer_id)

        return step
