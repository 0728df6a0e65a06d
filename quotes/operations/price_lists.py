"""Publishing a price list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.price_lists import PriceItem, PriceList
from quotes.queries.price_lists import NewItem
from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Company
from referral.operations.exchange_rates import guard_currency
from referral.operations.records import guard_permission, record_event
from referral.permissions import Permission, Viewer
from referral.queries.exchange_rates import program_currency
from referral.text import fold


def publish_price_list(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    items: Sequence[NewItem],
    valid_from: date,
    source: str,
    source_sha256: str,
    currency: str | None = None,
) -> PriceList:
    """A new version of the list prices in a currency is valid from a day on; revisions submitted before keep theirs.

    `currency` None is the program's own. Raises Refusal(forbidden), (price_list_date_taken), (invalid_input)
    for an empty or doubled list, or a currency that is none.
    """
    guard_permission(actor, Permission.PRICE_LIST_PUBLISH)
    currency = currency or program_currency(tx, valid_from)
    guard_currency(currency)
    if not items or len({item.model_number for item in items}) < len(items):
        raise Refusal("invalid_input", "A price list needs items, each model number once.", "file")
    locked(tx, sa.select(Company).where(Company.id == actor.company_id))
    taken = sa.select(PriceList.id).where(PriceList.currency == currency, PriceList.valid_from == valid_from)
    if tx.scalars(taken).first() is not None:
        raise Refusal("price_list_date_taken", field="valid_from")
    price_list = PriceList(
        id=new_id(),
        version=(tx.scalar(sa.select(sa.func.max(PriceList.version))) or 0) + 1,
        valid_from=valid_from,
        currency=currency,
        source=source,
        source_sha256=source_sha256,
        item_count=len(items),
        published_by=actor.user_id,
        published_at=at,
    )
    tx.add(price_list)
    tx.flush()
    tx.execute(
        sa.insert(PriceItem),
        [
            {
                "price_list_id": price_list.id,
                "model_number": item.model_number,
                "description": item.description,
                "family": item.family,
                "category": item.category,
                "unit": item.unit,
                "list_price_cents": item.list_price_cents,
                "goes_with": item.goes_with,
                "search_text": fold(f"{item.model_number} {item.description} {item.family}"),
            }
            for item in items
        ],
    )
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=actor.company_id,
        event="price_list.published",
        subject=f"price list {price_list.version}",
        details={
            "valid_from": valid_from.isoformat(),
            "currency": currency,
            "items": len(items),
            "sha256": source_sha256,
        },
    )
    return price_list
