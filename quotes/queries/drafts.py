"""A draft at the prices of today: what its builder shows and what its submission will say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.rules.credit import line_credit_cents
from quotes.models.price_lists import PriceItem, PriceList
from quotes.models.quotes import Remark, Revision
from quotes.queries.price_lists import items_by_model_number, price_list_on
from quotes.queries.quotes import QuotePage, quote_page
from quotes.rules import Totals
from quotes.states import RevisionState
from referral.errors import Refusal
from referral.permissions import Viewer
from referral.queries.companies import is_qualified_on
from referral.queries.exchange_rates import Exchange
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
    is_draft: bool
    """False where the newest revision is submitted: there is nothing to edit until the next one starts."""
    is_qualified: bool
    """Whether the account may submit today."""
    asked: Asked | None
    """What the dealer wants changed, where the revision before was sent back."""

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
    def repriced(self) -> int:
        """How many saved lines cost something else by today's list."""
        pairs = [(row.line, self.pricing.item(row.line.model_number)) for row in self.page.lines]
        return sum(1 for line, item in pairs if item and item.list_price_cents != line.list_price_cents)


def draft_page(
    tx: Session, *, viewer: Viewer, at: datetime, ref: str, model_numbers: Iterable[str] | None = None
) -> DraftPage:
    """Return the quote's newest revision and today's prices of what is typed, or else of what is saved.

    Raises Refusal(not_found), and (forbidden) for all but the account that makes the quote.
    """
    page = quote_page(tx, viewer=viewer, at=at, ref=ref)
    if not page.is_mine_to_build:
        raise Refusal("forbidden")
    wanted = [row.line.model_number for row in page.lines] if model_numbers is None else model_numbers
    return DraftPage(
        page=page,
        pricing=pricing_of(tx, at=at, exchange=page.exchange, model_numbers=wanted),
        is_draft=page.revision.state is RevisionState.DRAFT,
        is_qualified=is_qualified_on(tx, viewer.company_id, today(tx, at)),
        asked=_asked(tx, page),
    )
