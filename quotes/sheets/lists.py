"""Lists of quotes and orders as workbooks: the rows that a page shows, all of them, and its totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO

from sqlalchemy.orm import Session

from quotes.queries.listings import QUOTE_STATE_WORDS, QuoteFilter, QuoteRow, QuoteTotal, quote_rows
from quotes.queries.order_listings import (
    ORDER_STATE_WORDS,
    ListedOrder,
    OrderFilter,
    OrderTotals,
    order_list_rows,
)
from referral.permissions import Permission, Viewer
from referral.sheetkit.cellwriter import Column, Fact, Kind, Value
from referral.sheetkit.writer import Receipt, Sheet, write_workbook

Words = Sequence[tuple[str, str]]
QUOTE_COLUMNS = (
    Column("Quote", width=18),
    Column("Revision", Kind.INTEGER),
    Column("Project", width=34),
    Column("Place", width=24),
    Column("Dealer", width=30),
    Column("Account", width=30),
    Column("State", width=22),
    Column("Submitted on", Kind.DATE, width=14),
    Column("Valid through", Kind.DATE, width=14),
    Column("Currency", width=10),
    Column("Products", Kind.CENTS),
    Column("Creditable", Kind.CENTS),
)
ORDER_COLUMNS = (
    Column("Order", width=18),
    Column("Quote", width=18),
    Column("Revision", Kind.INTEGER),
    Column("Project", width=34),
    Column("Dealer", width=30),
    Column("Account", width=30),
    Column("Purchase order", width=20),
    Column("Entered on", Kind.DATE, width=14),
    Column("Wanted on site by", Kind.DATE, width=18),
    Column("State", width=18),
    Column("Currency", width=10),
    Column("Products ordered", Kind.CENTS, width=18),
    Column("Cancelled and returned", Kind.CENTS, width=22),
    Column("Products that stand", Kind.CENTS, width=20),
)
CREDIT_COLUMN = Column("Credit that stands", Kind.CENTS, width=20)


def write_quote_list(
    tx: Session, *, viewer: Viewer, at: datetime, asked: QuoteFilter, words: Words, out: BinaryIO
) -> Receipt:
    """Write the filtered list of quotes into `out`: every row the pages show, and their totals, in one snapshot.

    `words` says the filters for people.
    """
    rows, totals = quote_rows(tx, viewer=viewer, at=at, asked=asked)
    return write_workbook(
        out,
        (
            Sheet("Quotes", QUOTE_COLUMNS, map(_quote_cells, rows)),
            Sheet(
                "Totals",
                (
                    Column("Currency"),
                    Column("Quotes", Kind.INTEGER),
                    Column("Products", Kind.CENTS),
                    Column("Creditable", Kind.CENTS),
                ),
                ((each.currency, each.count, each.products_cents, each.creditable_cents) for each in totals),
            ),
        ),
        title="Quotes, newest first",
        facts=[*_facts(viewer, words), *_quote_facts(totals)],
        made_at=at,
    )


def write_order_list(
    tx: Session, *, viewer: Viewer, at: datetime, asked: OrderFilter, words: Words, out: BinaryIO
) -> Receipt:
    """Write the filtered list of orders into `out`: every row the pages show, and their totals, in one snapshot.

    Credit is there for those alone who see it. Raises Refusal(not_found) for a quote that there is not.
    """
    rows, totals = order_list_rows(tx, viewer=viewer, asked=asked)
    shows_credit = viewer.may(Permission.CREDIT_VIEW)
    columns = (*ORDER_COLUMNS, CREDIT_COLUMN) if shows_credit else ORDER_COLUMNS
    return write_workbook(
        out,
        (
            Sheet("Orders", columns, (_order_cells(each)[: len(columns)] for each in rows)),
            Sheet(
                "Totals",
                (
                    Column("Currency"),
                    Column("Orders", Kind.INTEGER),
                    Column("Products that stand", Kind.CENTS),
                ),
                ((each.currency, each.count, each.products_cents) for each in totals.products),
            ),
        ),
        title="Orders, newest first",
        facts=[*_facts(viewer, words), *_order_facts(totals)],
        made_at=at,
    )


def _facts(viewer: Viewer, words: Words) -> Iterator[Fact]:
    yield Fact("Made by", viewer.name)
    yield Fact("What it shows", "everything that the filters leave, of what the person may see")
    for label, text in words or (("Filters", "none"),):
        yield Fact(label if not words else f"Filter: {label}", text)


def _quote_facts(totals: Sequence[QuoteTotal]) -> Iterator[Fact]:
    yield Fact("Quotes", sum(each.count for each in totals), Kind.INTEGER)
    for each in totals:
        yield Fact(f"Products in {each.currency}", each.products_cents, Kind.CENTS)
        yield Fact(f"Creditable in {each.currency}", each.creditable_cents, Kind.CENTS)


def _order_facts(totals: OrderTotals) -> Iterator[Fact]:
    yield Fact("Orders", totals.count, Kind.INTEGER)
    for each in totals.products:
        yield Fact(f"Products that stand in {each.currency}", each.products_cents, Kind.CENTS)
    for credit in totals.credit:
        yield Fact(f"Credit that stands in {credit.currency}", credit.credit_cents, Kind.CENTS)


def _quote_cells(row: QuoteRow) -> tuple[Value, ...]:
    return (
        row.ref,
        row.revision,
        row.project_name,
        row.place,
        row.dealer_name,
        row.account_name,
        QUOTE_STATE_WORDS.get(row.state, row.state),
        row.submitted_on,
        row.expires_on,
        row.currency,
        row.products_cents,
        row.creditable_cents,
    )


def _order_cells(each: ListedOrder) -> tuple[Value, ...]:
    row = each.row
    return (
        row.ref,
        row.quote_ref,
        row.revision,
        row.project_name,
        row.dealer_name,
        row.account_name,
        row.purchase_order,
        row.entered_on,
        row.wanted_on,
        ORDER_STATE_WORDS[row.state],
        row.currency,
        row.products_cents,
        each.taken_products_cents,
        each.products_cents,
        each.credit_cents,
    )
