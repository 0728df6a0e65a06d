"""The story's steps in the ledger: imports, closings, disputes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from io import BytesIO, StringIO
from typing import Any

import sqlalchemy as sa

from demo.stage import Stage
from ledger.forms.imports import open_credit_sheet
from ledger.models.accounts import LedgerEntry
from ledger.operations.disputes import answer_dispute, open_dispute
from ledger.operations.import_runs import problems_of
from ledger.operations.imports import begin_import, finish_import, post_credit_rows
from ledger.operations.years import close_dealer_year, finish_closing, start_closing
from ledger.queries.imports import check_import, keyed_rows
from ledger.queries.open_items import ledger_open_items
from ledger.queries.years import dealers_to_close
from ledger.states import DisputeOutcome, EntryKind
from quotes.queries.open_items import quote_open_items
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.money import parse_cents


class CreditSteps(Stage):
    """Steps that are made of what the story says, and done at their instant."""

    def purchases(self, rows: list[dict[str, Any]]) -> Callable[[datetime], None]:
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

    def close_year(self, row: dict[str, Any]) -> Callable[[datetime], None]:
        """Close a program year, dealer by dealer."""

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

    def dispute(self, row: dict[str, Any]) -> Callable[[datetime], None]:
        """A dealer disputes a posting."""

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

    def answer(self, row: dict[str, Any], said: dict[str, Any]) -> Callable[[datetime], None]:
        """The program answers a dispute."""

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


def _purchase_list(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return other purchases as the distributor sends them: a day past the year counts on the year's last."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(("Dealer", "Day", "Amount", "Document"))
    for row in rows:
        day = min(row["on"], f"{row['credit_year']}-12-31")
        writer.writerow((row["dealer"], day, row["amount"], row["reference"]))
    return out.getvalue().encode()
