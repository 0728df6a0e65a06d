"""What a quote is short of by the catalogue's own words, and what its account says about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.bills import IgnoredHint
from quotes.models.price_lists import PriceItem, PriceList
from quotes.queries.price_lists import items_by_model_number
from quotes.queries.quotes import QuotePage
from quotes.rules.hints import Hint, Need, find_hints, parse_goes_with
from referral.models import User
from referral.text import fold_model_number


@dataclass(frozen=True)
class Ignored:
    """Why the account leaves a need unfilled."""

    reason: str
    by: str
    at: datetime


@dataclass(frozen=True)
class HintRow:
    """A hint as a page shows it."""

    hint: Hint
    offers: tuple[PriceItem, ...]
    """Those of its model numbers that the list has, so that one can be added."""
    ignored: Ignored | None


@dataclass(frozen=True)
class Catalogue:
    """What the items of a quote go with by one price list, and what is ignored on this quote."""

    needs: Mapping[str, tuple[Need, ...]] = field(default_factory=dict)
    """By model number."""
    offers: Mapping[str, PriceItem] = field(default_factory=dict)
    ignored: Mapping[tuple[str, str], Ignored] = field(default_factory=dict)
    """By model number and need."""

    def hints(self, lines: Iterable[tuple[str, int | None]]) -> tuple[HintRow, ...]:
        """Return what lines (model number as typed, quantity) are short of, the ignored hints last."""
        typed = [(fold_model_number(number), quantity or 0) for number, quantity in lines]
        rows = [
            HintRow(
                hint,
                tuple(self.offers[number] for number in hint.model_numbers if number in self.offers),
                self.ignored.get((hint.model_number, hint.need)),
            )
            for hint in find_hints(typed, self.needs)
        ]
        return tuple(sorted(rows, key=lambda row: row.ignored is not None))


def catalogue_of(
    tx: Session,
    *,
    dealer_id: UUID,
    quote_id: UUID,
    price_list: PriceList | None,
    items: Mapping[str, PriceItem],
) -> Catalogue:
    """Return what these items of a price list go with, and what the quote's account said about it."""
    needs = {number: parse_goes_with(item.goes_with) for number, item in items.items() if item.goes_with}
    if price_list is None or not needs:
        return Catalogue()
    wanted = {number for found in needs.values() for need in found for number in need.model_numbers}
    rows = tx.execute(
        sa.select(IgnoredHint, User.name)
        .join(User, User.id == IgnoredHint.ignored_by)
        .where(IgnoredHint.dealer_id == dealer_id, IgnoredHint.quote_id == quote_id)
    )
    return Catalogue(
        needs=needs,
        offers=items_by_model_number(tx, price_list, wanted),
        ignored={
            (row.model_number, row.need): Ignored(row.reason, name, row.ignored_at) for row, name in rows
        },
    )


def revision_hints(tx: Session, page: QuotePage) -> tuple[HintRow, ...]:
    """Return what a submitted revision is short of by its own price list; nothing for a draft."""
    if page.price_list is None:
        return ()
    lines = [(row.line.model_number, row.line.quantity) for row in page.lines]
    catalogue = catalogue_of(
        tx,
        dealer_id=page.revision.dealer_id,
        quote_id=page.revision.quote_id,
        price_list=page.price_list,
        items=items_by_model_number(tx, page.price_list, [number for number, _ in lines]),
    )
    return catalogue.hints(lines)
