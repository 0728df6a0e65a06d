"""Price lists as they hold on a day, their items, and what changes from one version to the next."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.price_lists import PriceItem, PriceList
from quotes.models.recalls import PriceRecall
from quotes.states import Category
from referral.errors import Refusal
from referral.queries.exchange_rates import program_currency
from referral.queries.settings import today
from referral.text import fold, fold_model_number

SEARCH_ROWS = 12
"""Items a search offers."""
ITEM_ROWS = 100
"""Items on one page of a list."""


def price_list_on(tx: Session, day: date, currency: str | None = None) -> PriceList:
    """Return the version valid on the day in a currency, by default the program's: the one that started last.

    Raises Refusal(price_list_missing), which names the currency.
    """
    wanted = currency or program_currency(tx, day)
    price_list = tx.scalars(
        sa.select(PriceList)
        .where(PriceList.currency == wanted, PriceList.valid_from <= day)
        .order_by(PriceList.valid_from.desc())
        .limit(1)
    ).first()
    if price_list is None:
        raise Refusal("price_list_missing", f"No price list in {wanted} is valid on this day.")
    return price_list


def items_by_model_number(
    tx: Session, price_list: PriceList, model_numbers: Iterable[str]
) -> dict[str, PriceItem]:
    """Return the named items of a version by folded model number; unknown ones are missing."""
    wanted = {fold_model_number(text) for text in model_numbers}
    rows = tx.scalars(
        sa.select(PriceItem).where(
            PriceItem.price_list_id == price_list.id, PriceItem.model_number.in_(wanted)
        )
    )
    return {row.model_number: row for row in rows}


def search_items(
    tx: Session, *, at: datetime, words: str, currency: str | None = None
) -> tuple[PriceItem, ...]:
    """Return SEARCH_ROWS items of today's list in a currency that have all words, exact model numbers first."""
    price_list = price_list_on(tx, today(tx, at), currency)
    tokens = [token.replace("\\", "").replace("%", "").replace("_", "") for token in fold(words).split()][:6]
    tokens = [token for token in tokens if token]
    if not tokens:
        return ()
    statement = sa.select(PriceItem).where(PriceItem.price_list_id == price_list.id)
    for token in tokens:
        statement = statement.where(PriceItem.search_text.contains(token))
    exact = fold_model_number(words)
    return tuple(
        tx.scalars(
            statement.order_by(
                sa.case(
                    (PriceItem.model_number == exact, 0),
                    (PriceItem.model_number.startswith(exact, autoescape=True), 1),
                    else_=2,
                ),
                PriceItem.model_number,
            ).limit(SEARCH_ROWS)
        )
    )


@dataclass(frozen=True)
class PriceListRow:
    """A version as the list of versions shows it."""

    version: int
    currency: str
    valid_from: date
    valid_to: date | None
    is_current: bool
    item_count: int
    source: str
    published_at: datetime


def price_lists_page(tx: Session, *, at: datetime) -> tuple[PriceListRow, ...]:
    """Return every version, newest first; each ends on the day before the next one in its currency starts."""
    day = today(tx, at)
    rows: list[PriceListRow] = []
    next_starts: dict[str, date] = {}
    newest_first = (PriceList.valid_from.desc(), PriceList.version.desc())
    for price_list in tx.scalars(sa.select(PriceList).order_by(*newest_first)):
        next_start = next_starts.get(price_list.currency)
        rows.append(
            PriceListRow(
                version=price_list.version,
                currency=price_list.currency,
                valid_from=price_list.valid_from,
                valid_to=None if next_start is None else date.fromordinal(next_start.toordinal() - 1),
                is_current=price_list.valid_from <= day and (next_start is None or day < next_start),
                item_count=price_list.item_count,
                source=price_list.source,
                published_at=price_list.published_at,
            )
        )
        next_starts[price_list.currency] = price_list.valid_from
    return tuple(rows)


def price_list_by_version(tx: Session, version: int) -> PriceList:
    """Return a version. Raises Refusal(not_found)."""
    price_list = tx.scalars(sa.select(PriceList).where(PriceList.version == version)).one_or_none()
    if price_list is None:
        raise Refusal("not_found")
    return price_list


def recalled_reasons(tx: Session, price_list_id: UUID | None) -> Mapping[str, str]:
    """Return why each recalled price of a list is recalled, by model number."""
    if price_list_id is None:
        return {}
    found = tx.execute(
        sa.select(PriceRecall.model_number, PriceRecall.reason).where(
            PriceRecall.price_list_id == price_list_id
        )
    )
    return {row.model_number: row.reason for row in found}


@dataclass(frozen=True)
class ItemsPage:
    """A page of a version's items by model number; `after` continues it."""

    price_list: PriceList
    items: tuple[PriceItem, ...]
    after: str | None
    recalled: Mapping[str, str]
    """Why a price of this version is recalled, by model number."""


def items_page(
    tx: Session, *, version: int, words: str = "", after: str = "", limit: int = ITEM_ROWS
) -> ItemsPage:
    """Return `limit` items of a version; `words` narrows. Raises Refusal(not_found)."""
    price_list = price_list_by_version(tx, version)
    statement = sa.select(PriceItem).where(
        PriceItem.price_list_id == price_list.id, PriceItem.model_number > after
    )
    for token in fold(words).split()[:6]:
        statement = statement.where(PriceItem.search_text.contains(token, autoescape=True))
    items = tx.scalars(statement.order_by(PriceItem.model_number).limit(limit + 1)).all()
    return ItemsPage(
        price_list=price_list,
        items=tuple(items[:limit]),
        after=items[limit - 1].model_number if len(items) > limit else None,
        recalled=recalled_reasons(tx, price_list.id),
    )


@dataclass(frozen=True)
class NewItem:
    """An item as a file states it."""

    model_number: str
    description: str
    family: str
    category: Category
    unit: str
    list_price_cents: int
    goes_with: str = ""
    """What it needs beside it, as `write_goes_with` keeps it."""


class ItemChange(enum.StrEnum):
    """How an item differs from the version before."""

    NEW = "new"
    PRICE = "price"
    WORDS = "words"
    RETIRED = "retired"


@dataclass(frozen=True)
class ItemDiff:
    """One difference between two versions; a side is None where the item is new or retired."""

    change: ItemChange
    model_number: str
    description: str
    before_cents: int | None
    after_cents: int | None


@dataclass(frozen=True)
class PriceListDiff:
    """What a file would change against the version in its currency valid the day before it starts."""

    currency: str
    before_version: int | None
    same: int
    changes: tuple[ItemDiff, ...]


def diff_price_list(
    tx: Session, *, items: Mapping[str, NewItem], valid_from: date, currency: str | None = None
) -> PriceListDiff:
    """Return the difference to the version the new one would follow, by default in the program's currency."""
    currency = currency or program_currency(tx, valid_from)
    before = tx.scalars(
        sa.select(PriceList)
        .where(PriceList.currency == currency, PriceList.valid_from < valid_from)
        .order_by(PriceList.valid_from.desc())
        .limit(1)
    ).first()
    old: dict[str, PriceItem] = {}
    if before is not None:
        rows = tx.scalars(sa.select(PriceItem).where(PriceItem.price_list_id == before.id))
        old = {row.model_number: row for row in rows}
    pairs = [(number, old.get(number), items.get(number)) for number in sorted(items.keys() | old.keys())]
    changes = [_item_diff(number, was, becomes) for number, was, becomes in pairs]
    differing = tuple(change for change in changes if change is not None)
    return PriceListDiff(
        currency, None if before is None else before.version, len(changes) - len(differing), differing
    )


def _item_diff(number: str, was: PriceItem | None, becomes: NewItem | None) -> ItemDiff | None:
    """Return how an item differs between two versions, or None where it does not."""
    if becomes is None:
        if was is None:
            return None
        return ItemDiff(ItemChange.RETIRED, number, was.description, was.list_price_cents, None)
    if was is None:
        return ItemDiff(ItemChange.NEW, number, becomes.description, None, becomes.list_price_cents)
    if _same_item(was, becomes):
        return None
    is_price = was.list_price_cents != becomes.list_price_cents
    kind = ItemChange.PRICE if is_price else ItemChange.WORDS
    return ItemDiff(kind, number, becomes.description, was.list_price_cents, becomes.list_price_cents)


def _same_item(was: PriceItem, becomes: NewItem) -> bool:
    return (was.description, was.family, was.category, was.unit, was.list_price_cents, was.goes_with) == (
        becomes.description,
        becomes.family,
        becomes.category,
        becomes.unit,
        becomes.list_price_cents,
        becomes.goes_with,
    )
