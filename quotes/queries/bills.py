"""Bills of material before they are imported: the verdict over every row, and what is remembered of columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.bills import BillMapping
from quotes.models.price_lists import PriceItem, PriceList
from quotes.models.quotes import Revision, RevisionLine
from quotes.queries.price_lists import items_by_model_number, price_list_on, recalled_reasons
from quotes.queries.quotes import quote_by_ref, sees_drafts
from quotes.rules.bills import BillColumn, BillFile, BillRow, LeftOutRow, RefusedRow
from quotes.rules.content import MAX_LINES, against_building
from quotes.rules.nearest import NearestModels
from referral.errors import Problem, Refusal
from referral.models import Company, Referral
from referral.money import MAX_QUANTITY, format_cents
from referral.permissions import Viewer
from referral.queries.exchange_rates import currency_of_dealer
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import today
from referral.states import ReferralState
from referral.text import fold, fold_model_number

SUGGESTED = 50
"""Unknown model numbers that get the nearest ones of the list; all of them are counted."""


@dataclass(frozen=True)
class BillDraft:
    """The draft a bill goes into."""

    ref: str
    project_name: str
    dealer_name: str
    currency: str
    revision_number: int
    draft_version: int
    line_count: int
    refused: str
    """What stands against building, as a code: the newest revision is submitted, or the project closed."""


def bill_draft(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> BillDraft:
    """Return the newest revision of a quote as an import needs it.

    Raises Refusal(not_found), and (forbidden) for all but the account that makes the quote.
    """
    return _draft(tx, viewer, today(tx, at), ref)


def _draft(tx: Session, viewer: Viewer, day: date, ref: str) -> BillDraft:
    dealer_id, number = dealer_of_number(tx, ref, "Q")
    quote = tx.scalars(quote_by_ref(viewer, dealer_id, number)).one_or_none()
    if quote is None:
        raise Refusal("not_found")
    if not sees_drafts(viewer, quote):
        raise Refusal("forbidden")
    revision = tx.get_one(Revision, (quote.dealer_id, quote.id, quote.latest_revision))
    dealer = tx.get_one(Company, quote.dealer_id)
    count = tx.scalar(
        sa.select(sa.func.count()).where(
            RevisionLine.dealer_id == quote.dealer_id,
            RevisionLine.quote_id == quote.id,
            RevisionLine.revision_number == revision.number,
        )
    )
    referral = tx.get_one(Referral, (quote.dealer_id, quote.referral_id))
    return BillDraft(
        ref=ref,
        project_name=referral.project_name,
        dealer_name=dealer.name,
        currency=currency_of_dealer(tx, dealer, day),
        revision_number=revision.number,
        draft_version=revision.draft_version,
        line_count=count or 0,
        refused=against_building(revision.state, is_closed=referral.state is not ReferralState.ACCEPTED),
    )


def bill_mappings(tx: Session, *, viewer: Viewer, digests: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what the viewer's company said the columns are, by the digest of the headings."""
    rows = tx.scalars(
        sa.select(BillMapping).where(
            BillMapping.company_id == viewer.company_id, BillMapping.headings_digest.in_(set(digests))
        )
    )
    return {row.headings_digest: tuple(row.columns) for row in rows}


# the verdict ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GoodLine:
    """A line that an import makes, of one row or, added up, of several."""

    row: int
    """The first one."""
    row_count: int
    model_number: str
    description: str
    room: str
    quantity: int
    list_price_cents: int
    stated_cents: int | None
    """The list price as the file states it."""
    chosen_for: str
    """What the file says instead of this model number, where the viewer chose; '' otherwise."""

    @property
    def amount_cents(self) -> int:
        """Quantity at list price."""
        return self.quantity * self.list_price_cents


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An item of today's list that is near to what a row says."""

    model_number: str
    description: str
    list_price_cents: int


@dataclass(frozen=True)
class UnknownModel:
    """A model number that today's list does not have: the first row that says it, and what is near."""

    row: int
    model_number: str
    row_count: int
    retired_from: int | None
    """The newest earlier price list that has it; None where none ever had it."""
    chosen: str
    """The model number that is taken instead, '' where none is chosen."""
    nearest: tuple[Suggestion, ...]


@dataclass(frozen=True)
class CheckedBill:
    """The verdict over every row of a bill."""

    draft: BillDraft
    recalled: Mapping[str, str]
    """Why a price is recalled, by the model number of lines: until it is mended they cannot be submitted."""
    price_list_version: int
    row_count: int
    good_count: int
    """Rows that can be taken."""
    lines: tuple[GoodLine, ...]
    """What they become."""
    refused: tuple[RefusedRow, ...]
    left_out: tuple[LeftOutRow, ...]
    blank_count: int
    unknown: tuple[UnknownModel, ...]
    """The first SUGGESTED of them."""
    unknown_count: int

    @property
    def refused_count(self) -> int:
        """How many rows are refused."""
        return len(self.refused)

    @property
    def amount_cents(self) -> int:
        """What the good rows come to at list price."""
        return sum(line.amount_cents for line in self.lines)

    @property
    def room_count(self) -> int:
        """How many rooms the good rows name."""
        return len({fold(line.room) for line in self.lines if line.room})

    @property
    def too_many(self) -> str:
        """A sentence where the bill alone has more lines than a revision takes, '' otherwise."""
        count = len(self.lines)
        return f"The bill has {count:,} lines, and a revision has at most {MAX_LINES:,}." * (
            count > MAX_LINES
        )


def check_bill(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    ref: str,
    file: BillFile,
    chosen: Mapping[int, str] | None = None,
    adds_up: bool = False,
) -> CheckedBill:
    """Return the verdict over every row of a bill by the list of today in the dealer's currency.

    `chosen` says by row number which model number is meant where the file's is not on the list; it holds for
    every row that says the same. `adds_up` makes one line of the rows of one model in one room. Raises
    Refusal(not_found), (forbidden), (price_list_missing).
    """
    day = today(tx, at)
    draft = _draft(tx, viewer, day, ref)
    price_list = price_list_on(tx, day, draft.currency)
    said = {row.number: row.model_number for row in file.rows}
    meant = {said[row]: fold_model_number(text) for row, text in (chosen or {}).items() if row in said}
    items = items_by_model_number(tx, price_list, {*said.values(), *meant.values()})
    judge = _Judge(price_list, items, meant, file)
    judge.retired = _retired(tx, price_list, {number for number in said.values() if number not in items})
    good = [line for row in file.rows if (line := judge.line(row)) is not None]
    reasons = recalled_reasons(tx, price_list.id)
    refused = sorted([*file.refused, *judge.refused], key=lambda row: row.number)
    return CheckedBill(
        draft=draft,
        recalled={
            line.model_number: reasons[line.model_number] for line in good if line.model_number in reasons
        },
        price_list_version=price_list.version,
        row_count=file.row_count,
        good_count=len(good),
        lines=tuple(_added_up(good) if adds_up else good),
        refused=tuple(refused),
        left_out=file.left_out,
        blank_count=file.blank_count,
        unknown=_unknown(tx, price_list, judge),
        unknown_count=len(judge.unknown),
    )


class _Judge:
    """Decides about one row after the other."""

    def __init__(
        self, price_list: PriceList, items: Mapping[str, PriceItem], meant: Mapping[str, str], file: BillFile
    ) -> None:
        self.refused: list[RefusedRow] = []
        self.unknown: dict[str, list[BillRow]] = {}
        """Rows by the model number they say."""
        self.retired: Mapping[str, tuple[int, str]] = {}
        self.meant, self.items = meant, items
        self._list, self._file = price_list, file

    def line(self, row: BillRow) -> GoodLine | None:
        """Return what a row becomes, or None where it is refused."""
        said = row.model_number
        wanted, chosen_for = said, ""
        if said not in self.items:
            self.unknown.setdefault(said, []).append(row)
            wanted, chosen_for = self.meant.get(said) or said, said
        item = self.items.get(wanted)
        if item is None:
            self._refuse(row, BillColumn.MODEL_NUMBER, "model_number_unknown", self._why_unknown(row, wanted))
            return None
        if row.list_price_cents not in {None, item.list_price_cents}:
            words = f"list price {format_cents(item.list_price_cents)}, given {format_cents(row.list_price_cents or 0)}"
            self._refuse(row, BillColumn.LIST_PRICE, "not_list_price", words)
            return None
        return GoodLine(
            row=row.number,
            row_count=1,
            model_number=item.model_number,
            description=item.description,
            room=row.room,
            quantity=row.quantity,
            list_price_cents=item.list_price_cents,
            stated_cents=row.list_price_cents,
            chosen_for=chosen_for,
        )

    def _why_unknown(self, row: BillRow, wanted: str) -> str:
        said = row.typed or row.model_number
        if wanted != row.model_number:
            return f"“{wanted}”, chosen for “{said}”, is not on price list {self._list.version}"
        if row.model_number in self.retired:
            earlier, _ = self.retired[row.model_number]
            return f"“{said}” is retired: it was on price list {earlier}, and is not on {self._list.version}"
        return f"“{said}” is not on price list {self._list.version}"

    def _refuse(self, row: BillRow, column: BillColumn, code: str, words: str) -> None:
        address = self._file.address(column, row.number)
        said = (
            row.typed or row.model_number,
            str(row.quantity),
            row.room,
            "" if row.list_price_cents is None else format_cents(row.list_price_cents),
        )
        self.refused.append(RefusedRow(row.number, (Problem(code, f"{address}: {words}.", address),), said))


def _retired(tx: Session, price_list: PriceList, numbers: set[str]) -> dict[str, tuple[int, str]]:
    """Return (version, description) of the newest earlier list that has a model number."""
    if not numbers:
        return {}
    rows = tx.execute(
        sa.select(PriceItem.model_number, PriceList.version, PriceItem.description)
        .join(PriceList, PriceList.id == PriceItem.price_list_id)
        .where(
            PriceItem.model_number.in_(numbers),
            PriceList.currency == price_list.currency,
            PriceList.valid_from < price_list.valid_from,
        )
        .order_by(PriceList.valid_from, PriceItem.model_number)
    )
    return {number: (version, description) for number, version, description in rows}


def _unknown(tx: Session, price_list: PriceList, judge: _Judge) -> tuple[UnknownModel, ...]:
    if not judge.unknown:
        return ()
    listed = {
        number: Suggestion(number, description, cents)
        for number, description, cents in tx.execute(
            sa.select(PriceItem.model_number, PriceItem.description, PriceItem.list_price_cents)
            .where(PriceItem.price_list_id == price_list.id)
            .order_by(PriceItem.model_number)
        )
    }
    models = NearestModels((item.model_number, item.description) for item in listed.values())
    found = []
    for number, rows in list(judge.unknown.items())[:SUGGESTED]:
        version, description = judge.retired.get(number, (None, ""))
        chosen = judge.meant.get(number, "")
        nearest = [listed[near] for near in models.find(rows[0].typed or number, description)]
        if chosen in listed and listed[chosen] not in nearest:
            nearest.append(listed[chosen])
        found.append(
            UnknownModel(rows[0].number, rows[0].typed or number, len(rows), version, chosen, tuple(nearest))
        )
    return tuple(found)


def _added_up(lines: Iterable[GoodLine]) -> list[GoodLine]:
    """Return one line for each model and room, in the order of their first rows; none grows past MAX_QUANTITY."""
    open_lines: dict[tuple[str, str], int] = {}
    added: list[GoodLine] = []
    for line in lines:
        key = (line.model_number, fold(line.room))
        at = open_lines.get(key)
        if at is None or added[at].quantity + line.quantity > MAX_QUANTITY:
            open_lines[key] = len(added)
            added.append(line)
            continue
        first = added[at]
        added[at] = GoodLine(
            row=first.row,
            row_count=first.row_count + 1,
            model_number=first.model_number,
            description=first.description,
            room=first.room,
            quantity=first.quantity + line.quantity,
            list_price_cents=first.list_price_cents,
            stated_cents=first.stated_cents if first.stated_cents is not None else line.stated_cents,
            chosen_for=first.chosen_for or line.chosen_for,
        )
    return added
