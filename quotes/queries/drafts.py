"""A draft at the prices of today: what its builder shows and what its submission will say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.rules.credit import line_credit_cents
from quotes.models.price_lists import PriceItem, PriceList
from quotes.models.quotes import Quote, Remark, Revision, RevisionLine
from quotes.queries.design_files import DesignFileRow, design_files_of
from quotes.queries.hints import Catalogue, HintRow, catalogue_of, revision_hints
from quotes.queries.last_saved import LastSaved, last_saved
from quotes.queries.price_lists import items_by_model_number, price_list_on, recalled_reasons
from quotes.queries.quotes import QuotePage, quote_by_ref, quote_page, sees_drafts
from quotes.rules.content import Totals, against_building
from quotes.states import RevisionState
from referral.errors import Refusal
from referral.permissions import Viewer
from referral.queries.continuations import may_go_on
from referral.queries.exchange_rates import Exchange
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import creditable_categories, today, whole_number_setting
from referral.text import fold_account_number, fold_model_number


@dataclass(frozen=True)
class PricedLine:
    """A typed line at today's list price; `item` is None where the list has no such model number."""

    item: PriceItem | None
    quantity: int
    is_creditable: bool = False
    credit_cents: int = 0

    @property
    def amount_cents(self) -> int:
        """Quantity at list price; 0 for an unknown item."""
        return 0 if self.item is None else self.item.list_price_cents * self.quantity


@dataclass(frozen=True)
class Pricing:
    """Today's list as far as it was asked for, and what earns credit this program year."""

    price_list: PriceList | None
    """None where no list is valid today."""
    items: Mapping[str, PriceItem]
    """By folded model number."""
    recalled: Mapping[str, str]
    """Why a price of this list is recalled, by folded model number."""
    creditable: frozenset[str]
    credit_rate: int
    exchange: Exchange
    """The currency of the dealer, and how it becomes the program's today."""
    program_year: int

    def item(self, model_number: str) -> PriceItem | None:
        """Return the item of a model number as typed, or None."""
        return self.items.get(fold_model_number(model_number))

    def line(self, model_number: str, quantity: int | None) -> PricedLine:
        """Return a line as it will be quoted; without a quantity it amounts to nothing."""
        item, units = self.item(model_number), quantity or 0
        if item is None or item.category.value not in self.creditable:
            return PricedLine(item, units)
        credit = line_credit_cents(item.list_price_cents, units, self.credit_rate, self.exchange.rate)
        return PricedLine(item, units, is_creditable=True, credit_cents=credit)


@dataclass(frozen=True)
class DraftTotals:
    """The sums of a draft in cents, and what ordering all of it earns in `program_year`, in its currency."""

    sums: Totals
    credit_cents: int
    program_year: int


def draft_totals(pricing: Pricing, lines: Iterable[PricedLine], services_cents: int) -> DraftTotals:
    """Return the sums of lines as typed."""
    rows = tuple(lines)
    products = sum(row.amount_cents for row in rows)
    creditable = sum(row.amount_cents for row in rows if row.is_creditable)
    return DraftTotals(
        sums=Totals(products, creditable, products - creditable, services_cents),
        credit_cents=sum(row.credit_cents for row in rows),
        program_year=pricing.program_year,
    )


def pricing_of(tx: Session, *, at: datetime, exchange: Exchange, model_numbers: Iterable[str]) -> Pricing:
    """Return today's prices of these model numbers in a currency."""
    day = today(tx, at)
    try:
        price_list: PriceList | None = price_list_on(tx, day, exchange.currency)
    except Refusal as refusal:
        if refusal.code != "price_list_missing":
            raise
        price_list = None
    return Pricing(
        price_list=price_list,
        items={} if price_list is None else items_by_model_number(tx, price_list, model_numbers),
        recalled={} if price_list is None else recalled_reasons(tx, price_list.id),
        creditable=creditable_categories(tx, day.year),
        credit_rate=whole_number_setting(tx, "credit_rate", day),
        exchange=exchange,
        program_year=day.year,
    )


@dataclass(frozen=True)
class Asked:
    """What the dealer asked for when sending a revision back."""

    revision_number: int
    reason: str
    remarks: Mapping[UUID, tuple[str, ...]]
    """By line id."""


def _asked(tx: Session, page: QuotePage) -> Asked | None:
    head = page.revision
    if page.compared_with is None:
        return None
    before = tx.get_one(Revision, (head.dealer_id, head.quote_id, page.compared_with))
    if before.state is not RevisionState.CHANGES_REQUESTED:
        return None
    found = tx.execute(
        sa.select(Remark.line_id, Remark.text)
        .where(
            Remark.dealer_id == head.dealer_id,
            Remark.quote_id == head.quote_id,
            Remark.revision_number == before.number,
            Remark.is_request,
        )
        .order_by(Remark.made_at, Remark.id)
    ).all()
    remarks: dict[UUID, tuple[str, ...]] = {}
    for line_id, text in found:
        if line_id is not None:
            remarks[line_id] = (*remarks.get(line_id, ()), text)
    return Asked(before.number, before.decision_reason, remarks)


@dataclass(frozen=True)
class DraftPage:
    """The newest draft of a quote for its builder, priced by the list of today."""

    page: QuotePage
    """The quote; lines, rooms, totals and changes hold the prices of the last save."""
    pricing: Pricing
    refused: str
    """What stands against building, as a code: the newest revision is submitted, or the project closed."""
    is_qualified: bool
    """Whether the account may submit today."""
    asked: Asked | None
    """What the dealer wants changed, where the revision before was sent back."""
    catalogue: Catalogue
    """What the items go with, and which hints are ignored."""
    last_saved: LastSaved | None
    design_files: tuple[DesignFileRow, ...]
    """The files its lines came from."""

    @property
    def hints(self) -> tuple[HintRow, ...]:
        """What the saved lines are short of by today's list."""
        return self.catalogue.hints((row.line.model_number, row.line.quantity) for row in self.page.lines)

    @property
    def states_dealers_number(self) -> bool:
        """Whether the stated account number is one of the dealer's today."""
        stated = fold_account_number(self.page.revision.account_number)
        return stated in {fold_account_number(number) for number in self.page.dealer_numbers}

    @property
    def retired(self) -> tuple[str, ...]:
        """Model numbers of saved lines that today's list no longer has."""
        numbers = dict.fromkeys(row.line.model_number for row in self.page.lines)
        return tuple(number for number in numbers if self.pricing.item(number) is None)

    @property
    def ordered(self) -> Mapping[str, int]:
        """Units of the saved lines that are ordered already, by line id as a form names it."""
        return {
            str(row.line.line_id): row.ordered_quantity for row in self.page.lines if row.ordered_quantity
        }

    @property
    def recalled(self) -> tuple[tuple[str, str], ...]:
        """(model number, reason) of the saved lines whose price of today is recalled: they hold back submission."""
        numbers = dict.fromkeys(row.line.model_number for row in self.page.lines)
        return tuple(
            (number, self.pricing.recalled[number]) for number in numbers if number in self.pricing.recalled
        )

    @property
    def repriced(self) -> int:
        """How many saved lines cost something else by today's list."""
        pairs = [(row.line, self.pricing.item(row.line.model_number)) for row in self.page.lines]
        return sum(1 for line, item in pairs if item and item.list_price_cents != line.list_price_cents)


def draft_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    ref: str,
    model_numbers: Iterable[str] | None = None,
    against: int | None = None,
) -> DraftPage:
    """Return the quote's newest revision and today's prices of what is typed, or else of what is saved.

    Its changes are against the earlier revision `against`, the last one by default. Raises
    Refusal(not_found), and (forbidden) for all but the account that makes the quote.
    """
    page = quote_page(tx, viewer=viewer, at=at, ref=ref, against=against)
    if not page.is_mine_to_build:
        raise Refusal("forbidden")
    wanted = [row.line.model_number for row in page.lines] if model_numbers is None else model_numbers
    pricing = pricing_of(tx, at=at, exchange=page.exchange, model_numbers=wanted)
    return DraftPage(
        page=page,
        pricing=pricing,
        refused=against_building(page.revision.state, is_closed=page.is_closed),
        is_qualified=_may_go_on(tx, page, today(tx, at)),
        asked=_asked(tx, page),
        catalogue=catalogue_of(
            tx,
            dealer_id=page.revision.dealer_id,
            quote_id=page.revision.quote_id,
            price_list=pricing.price_list,
            items=pricing.items,
        ),
        last_saved=last_saved(tx, page.revision.dealer_id, ref),
        design_files=design_files_of(
            tx,
            dealer_id=page.revision.dealer_id,
            quote_id=page.revision.quote_id,
            revision_number=page.revision.number,
        ),
    )


def _may_go_on(tx: Session, page: QuotePage, day: date) -> bool:
    """Say whether the account is qualified on the day, or let go on with this project."""
    quote = tx.get_one(Quote, (page.revision.dealer_id, page.revision.quote_id))
    return may_go_on(
        tx, dealer_id=quote.dealer_id, referral_id=quote.referral_id, account_id=quote.account_id, day=day
    )


@dataclass(frozen=True)
class DraftState:
    """Where the newest draft of a quote stands after a save."""

    draft_version: int
    line_ids: tuple[UUID, ...]
    """In order."""
    last_saved: LastSaved | None


def draft_state(tx: Session, *, viewer: Viewer, ref: str) -> DraftState:
    """Return the version and the lines of the newest revision. Raises Refusal(not_found), (forbidden)."""
    dealer_id, number = dealer_of_number(tx, ref, "Q")
    quote = tx.scalars(quote_by_ref(viewer, dealer_id, number)).one_or_none()
    if quote is None:
        raise Refusal("not_found")
    if not sees_drafts(viewer, quote):
        raise Refusal("forbidden")
    revision = tx.get_one(Revision, (quote.dealer_id, quote.id, quote.latest_revision))
    ids = tx.scalars(
        sa.select(RevisionLine.line_id)
        .where(
            RevisionLine.dealer_id == quote.dealer_id,
            RevisionLine.quote_id == quote.id,
            RevisionLine.revision_number == revision.number,
        )
        .order_by(RevisionLine.position, RevisionLine.line_id)
    ).all()
    return DraftState(revision.draft_version, tuple(ids), last_saved(tx, dealer_id, ref))


def revision_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    ref: str,
    revision_number: int,
    against: int | None = None,
) -> tuple[QuotePage, tuple[HintRow, ...]]:
    """Return a revision with what it is short of: a draft by the list of today, others by their own.

    Raises Refusal(not_found).
    """
    page = quote_page(tx, viewer=viewer, at=at, ref=ref, revision_number=revision_number, against=against)
    if page.price_list is not None:
        return page, revision_hints(tx, page)
    lines = [(row.line.model_number, row.line.quantity) for row in page.lines]
    numbers = [number for number, _ in lines]
    pricing = pricing_of(tx, at=at, exchange=page.exchange, model_numbers=numbers)
    catalogue = catalogue_of(
        tx,
        dealer_id=page.revision.dealer_id,
        quote_id=page.revision.quote_id,
        price_list=pricing.price_list,
        items=pricing.items,
    )
    return page, catalogue.hints(lines)
