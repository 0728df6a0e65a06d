"""Lists of quotes and orders: filters in the address, totals, paging by key, kept views, workbooks."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import openpyxl
import pytest
import sqlalchemy as sa

from quotes.operations.cancellations import cancel_order
from quotes.operations.quotes import LineInput
from referral.clock import now
from referral.db import db
from referral.models import SavedView
from referral.operations.exchange_rates import set_dealer_currency
from tests.factories import World, make_account, make_dealer, make_price_list, make_rate, make_world, user_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from tests.pages import Page, PageClient

NOW = now()
TODAY = NOW.date().isoformat()
LIGHTS, PROCESSOR = [LineInput("D3-LIGHT", 2, "Hall")], [LineInput("PROC-1", 1, "Attic")]


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("listings", "order_listings"):
        monkeypatch.setattr(f"quotes.queries.{module}.PAGE_ROWS", 2)
        monkeypatch.setattr(f"quotes.queries.{module}.WORKBOOK_ROWS", 2)


def quoted(world: World, project: str, lines: list[LineInput], *, at: Any = NOW) -> str:
    """A submitted quote for a project, with these lines."""
    referral = world.refer(project_name=project, at=at)
    world.refer = lambda **_said: referral  # type: ignore[method-assign] # the next draft is of this one
    ref = world.draft(at=at, lines=lines)
    del world.refer  # type: ignore[method-assign] # the class's own again
    return world.submit(ref, at=at)


def ordered(world: World, project: str, lines: list[LineInput], **said: Any) -> str:
    """An order of a whole new quote."""
    ref = quoted(world, project, lines)
    world.approval(ref, at=NOW)
    return str(world.order(ref, at=NOW, **said)[1])


def canadian(world: World) -> World:
    """A second dealer of the same account, quoted in CAD."""
    make_price_list(world.tx, world.program, currency="CAD")
    make_rate(world.tx, world.program)
    dealer = make_dealer(world.tx, world.program, number="0077-0001")
    set_dealer_currency(
        world.tx, actor=world.program, at=NOW, code=dealer.company_code, currency="CAD", reason="Canadian"
    )
    return World(world.tx, world.program, dealer, world.account, "0077-0001")


def refs(page: Page) -> list[str]:
    return page.all(".//tbody//th")


def sums(page: Page) -> list[str]:
    return page.all(".//div[@class='list-sum']/ul/li")


def pages_of(client: PageClient, address: str) -> Iterator[Page]:
    page = client.get(address)
    yield page
    while "Older →" in page.all(".//nav/a"):
        page = client.click("Older →")
        yield page


def cents(text: str) -> int:
    return int(text.rsplit(maxsplit=1)[-1].replace(",", "").replace(".", "").replace("$", ""))


def book_of(client: PageClient, address: str) -> openpyxl.Workbook:
    answer = client.get(address).response
    assert answer.mimetype == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return openpyxl.load_workbook(io.BytesIO(answer.get_data()))


def rows_of(book: openpyxl.Workbook, sheet: str) -> list[dict[str, Any]]:
    headings, *rows = book[sheet].iter_rows(values_only=True)
    return [dict(zip(headings, row, strict=True)) for row in rows if row[0] not in {None, "Total"}]


def facts_of(book: openpyxl.Workbook) -> dict[str, Any]:
    return {row[0]: row[1] for row in book["Control"].iter_rows(values_only=True)}


def in_cents(value: object) -> int:
    return round(float(str(value)) * 100)


# filters ----------------------------------------------------------------------------------------


def test_the_filters_of_quotes_stand_in_the_address(client: PageClient, tx: Session, world: World) -> None:
    old = quoted(world, "Marsh house", LIGHTS, at=NOW - timedelta(days=40))
    barn = quoted(world, "Élan barn 100%", LIGHTS)
    attic = quoted(world, "Attic", PROCESSOR)
    client.sign_in(user_of(tx, world.account))
    before = (NOW - timedelta(days=20)).date().isoformat()
    for query, expected in {
        "": [attic, barn, old],
        "project=marsh+camden": [old],
        "project=%C3%89LAN": [barn],
        "project=0%25": [barn],
        "project=_": [],
        "model=proc": [attic],
        "model=d3-l": [barn, old],
        "company=" + world.dealer.company_name: [attic, barn, old],
        "company=" + world.account.company_code.lower(): [attic, barn, old],
        "company=nobody": [],
        f"since={before}": [attic, barn],
        f"until={before}": [old],
        "least=825.01": [attic],
        "most=825": [barn, old],
        "state=expired": [old],
        "state=submitted&model=D3-LIGHT": [barn],
    }.items():
        assert refs(client.get(f"/quotes?{query}")) == expected, query
    page = client.submit("Show", {"project": "barn", "model": "D3-LIGHT"}, status=200)
    assert refs(page) == [barn]
    assert parse_qs(urlsplit(page.address).query)["project"] == ["barn"]


def test_the_filters_of_orders_stand_in_the_address(client: PageClient, tx: Session, world: World) -> None:
    hall = ordered(world, "Hall", LIGHTS, purchase_order="PO 7/55")
    attic = ordered(world, "Attic", PROCESSOR)
    client.sign_in(user_of(tx, world.dealer))
    for query, expected in {
        "purchase=7/5": [hall],
        "project=attic": [attic],
        "model=PROC-1": [attic],
        "company=" + world.account.company_name: [attic, hall],
        f"since={TODAY}": [attic, hall] if NOW.hour > 5 else None,
        "until=2020-01-01": [],
        "least=1,000.00": [attic],
        "state=entered": [attic, hall],
        "state=cancelled": [],
    }.items():
        if expected is not None:
            assert refs(client.get(f"/orders?{query}")) == expected, query


@pytest.mark.parametrize("address", ["/quotes", "/orders", "/quotes.xlsx", "/orders.xlsx"])
def test_a_misspelt_filter_is_refused_in_plain_words(
    address: str, client: PageClient, tx: Session, world: World
) -> None:
    client.sign_in(user_of(tx, world.account))
    page = client.get(f"{address}?stat=approved", status=404)
    assert "This list has no filter “stat”" in page.text
    assert "no “aproved”" in client.get(f"{address}?state=aproved", status=404).text
    assert "twice" in client.get(f"{address}?model=A&model=B", status=404).text


def test_a_filter_that_cannot_be_read_lists_nothing(client: PageClient, tx: Session, world: World) -> None:
    world.submit(at=NOW)
    client.sign_in(user_of(tx, world.account))
    for query in ("since=yesterday", "least=1e3", "since=1066-10-14"):
        page = client.get(f"/quotes?{query}", status=422)
        assert "cannot be read" in page.text
        assert not refs(page)
        client.get(f"/quotes.xlsx?{query}", status=422)


def test_every_quote_stands_under_one_tab_the_one_its_badge_says(
    client: PageClient, tx: Session, world: World
) -> None:
    waiting, approved, past = world.submit(at=NOW), world.submit(at=NOW), world.submit()
    done, late = world.submit(at=NOW), world.approve()
    for ref in (approved, done):
        world.approval(ref, at=NOW)
    world.order(done, at=NOW)
    world.order(late)
    client.sign_in(user_of(tx, world.account))
    found = {
        state: refs(client.get(f"/quotes?state={state}"))
        for state in ("draft", "submitted", "approved", "ordered", "expired", "changes_requested", "declined")
    }
    assert found["submitted"] == [waiting]
    assert found["approved"] == [approved]
    assert found["ordered"] == [late, done]
    assert found["expired"] == [past]
    assert not found["draft"] + found["changes_requested"] + found["declined"]


# totals and workbooks ---------------------------------------------------------------------------


@pytest.mark.usefixtures("small_pages")
def test_the_totals_are_the_sums_of_all_pages_for_each_currency_apart(
    client: PageClient, tx: Session, world: World
) -> None:
    north = canadian(world)
    for each, project in (
        (world, "Zoo 1"),
        (world, "Zoo 2"),
        (north, "Zoo 3"),
        (world, "Barn"),
        (north, "Zoo 4"),
    ):
        quoted(each, project, LIGHTS + PROCESSOR)
    client.sign_in(user_of(tx, world.program))
    pages = list(pages_of(client, "/quotes?model=D3&project=zoo"))
    assert [len(refs(page)) for page in pages] == [2, 2]
    assert {tuple(sums(page)) for page in pages} == {
        (
            "4 quotes",
            "Products CAD 4,050.00",
            "Creditable CAD 1,650.00",
            "Products $4,050.00",
            "Creditable $1,650.00",
        )
    }
    cells = [text for page in pages for text in page.all(".//td[@data-label='Products']")]
    for currency, expected in (("CAD", 405_000), ("", 405_000)):
        amounts = [cents(text) for text in cells if text.startswith("CAD") == bool(currency)]
        assert sum(amounts) == expected


@pytest.mark.usefixtures("small_pages")
def test_the_workbook_of_quotes_is_the_page_row_by_row_and_total_by_total(
    client: PageClient, tx: Session, world: World
) -> None:
    north = canadian(world)
    for each, project in ((world, "=1+1"), (north, "House 2"), (world, "House 3"), (world, "Barn")):
        quoted(each, project, LIGHTS + PROCESSOR)
    client.sign_in(user_of(tx, world.account))
    pages = list(pages_of(client, "/quotes?model=d3"))
    book = book_of(client, client.page.link("Excel of this list") if client.page else "")
    rows = rows_of(book, "Quotes")
    assert [row["Quote"] for row in rows] == [ref for page in pages for ref in refs(page)]
    assert [in_cents(row["Products"]) for row in rows] == [
        cents(text) for page in pages for text in page.all(".//td[@data-label='Products']")
    ]
    assert rows[-1]["Project"] == "=1+1"
    assert {row["State"] for row in rows} == {"Waiting for approval"}
    totals = {row["Currency"]: row for row in rows_of(book, "Totals")}
    for currency, sign in (("USD", "$"), ("CAD", "CAD ")):
        shown = next(text for text in sums(pages[0]) if text.startswith(f"Products {sign}"))
        assert in_cents(totals[currency]["Products"]) == cents(shown)
        assert in_cents(totals[currency]["Products"]) == sum(
            in_cents(row["Products"]) for row in rows if row["Currency"] == currency
        )
    facts = facts_of(book)
    assert (facts["Filter: Model number"], facts["Made by"], int(facts["Quotes"])) == (
        "D3",
        world.account.name,
        4,
    )
    assert "Filter: State" not in facts


@pytest.mark.usefixtures("small_pages")
def test_the_workbook_of_orders_has_the_net_amounts_of_the_page(
    client: PageClient, tx: Session, world: World
) -> None:
    for project in ("A", "B"):
        ordered(world, project, LIGHTS + PROCESSOR)
    part = ordered(world, "C", LIGHTS + PROCESSOR)
    cancel_order(
        tx, actor=world.account, at=NOW, ref=part, reason="One less", idempotency_key="less",
        quantities={world.line_ids(part.replace("O-", "Q-"))[0]: 1},
    )  # fmt: skip
    client.sign_in(user_of(tx, world.dealer))
    pages = list(pages_of(client, "/orders"))
    assert [len(refs(page)) for page in pages] == [2, 1]
    assert sums(pages[0]) == ["3 orders", "Products $5,662.50", "Credit given $2,062.50"]
    assert "412.50 ; of 825.00" in pages[0].all(".//td[@data-label='Credit given']")[0]
    book = book_of(client, "/orders.xlsx")
    rows = rows_of(book, "Orders")
    assert [row["Order"] for row in rows] == [ref for page in pages for ref in refs(page)]
    for column, total in (("Products that stand", 566_250), ("Credit that stands", 206_250)):
        assert sum(in_cents(row[column]) for row in rows) == total
        assert in_cents(facts_of(book)[f"{column} in USD"]) == total
    assert [in_cents(row["Cancelled and returned"]) for row in rows] == [41_250, 0, 0]


def test_no_credit_is_in_the_accounts_list_or_workbook(client: PageClient, tx: Session, world: World) -> None:
    ordered(world, "A", LIGHTS)
    client.sign_in(user_of(tx, world.account))
    page = client.get("/orders")
    assert sums(page) == ["1 order", "Products $825.00"]
    assert "Credit" not in " ".join(page.all(".//table"))
    book = book_of(client, "/orders.xlsx")
    text = " ".join(str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row)
    assert "redit" not in text


def test_another_companys_rows_are_in_no_total_and_no_workbook(
    client: PageClient, tx: Session, world: World
) -> None:
    ordered(world, "A", LIGHTS)
    other = make_account(tx, world.program)
    client.sign_in(user_of(tx, other))
    for kind in ("quotes", "orders"):
        assert not sums(client.get(f"/{kind}"))
        assert sums(client.get(f"/{kind}?project=A")) == [f"0 {kind}"]
        assert not rows_of(book_of(client, f"/{kind}.xlsx"), kind.title())


# paging -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_pages")
def test_paging_by_key_shows_each_row_once_while_rows_are_added(
    client: PageClient, tx: Session, world: World
) -> None:
    made = [quoted(world, f"House {number}", LIGHTS) for number in range(5)]
    client.sign_in(user_of(tx, world.dealer))
    seen = refs(client.get("/quotes?project=house"))
    added = quoted(world, "House 5", LIGHTS)
    while "Older →" in client.page.all(".//nav/a"):  # type: ignore[union-attr] # a page was fetched
        seen += refs(client.click("Older →"))
    assert seen == made[::-1]
    assert refs(client.click("← Newest"))[0] == added
    client.get("/quotes?after=nonsense", status=404)


def test_the_number_of_statements_does_not_depend_on_the_rows(
    client: PageClient, tx: Session, world: World
) -> None:
    counts: list[int] = []

    def note(*_said: object) -> None:
        counts[-1] += 1

    client.sign_in(user_of(tx, world.program))
    for size in (1, 4):
        for number in range(size):
            ordered(world, f"House {size}{number}", LIGHTS)
        for address in ("/quotes?model=D3&state=ordered", "/orders?model=D3&least=1", "/search?q=house"):
            client.get(address)
            counts.append(0)
            sa.event.listen(db.engine, "before_cursor_execute", note)
            client.get(address)
            sa.event.remove(db.engine, "before_cursor_execute", note)
    assert counts[:3] == counts[3:]


# kept views -------------------------------------------------------------------------------------


def test_a_view_is_kept_opened_and_let_go(client: PageClient, tx: Session, world: World) -> None:
    barn, _ = quoted(world, "Barn & hall", LIGHTS), quoted(world, "Attic", LIGHTS)
    client.sign_in(user_of(tx, world.account))
    client.get("/quotes?project=barn+%26&state=submitted&after=")
    page = client.submit("Keep it", {"name": "Barns"})
    assert "stands above the list" in page.text
    assert refs(page) == [barn]
    client.get("/quotes")
    assert refs(client.click("★ Barns")) == [barn]
    page = client.submit("Remove the view “Barns”")
    assert "Barns" not in " ".join(page.all(".//nav//a"))
    assert not tx.scalars(sa.select(SavedView)).all()


def test_a_name_is_taken_once_for_each_list_and_person(client: PageClient, tx: Session, world: World) -> None:
    said = {"list_name": "quotes.quotes", "query": "state=approved", "name": "Mine"}
    client.sign_in(user_of(tx, world.account))
    for _ in range(2):
        client.post("/saved-views", said)
    page = client.post("/saved-views", said | {"name": "mine"}, status=409)
    assert "You have a view of this name already." in page.text
    client.post("/saved-views", said | {"list_name": "quotes.orders", "query": "state=shipped"})
    client.other().sign_in(user_of(tx, world.dealer)).post("/saved-views", said)
    assert len(tx.scalars(sa.select(SavedView)).all()) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"query": "stat=approved"},
        {"query": "since=never"},
        {"list_name": "referral.audit"},
        {"query": "state=" + "x" * 5_000},
    ],
)
def test_only_what_the_list_can_show_is_kept(
    change: dict[str, str], client: PageClient, tx: Session, world: World
) -> None:
    client.sign_in(user_of(tx, world.account))
    said = {"list_name": "quotes.quotes", "query": "state=approved", "name": "Mine"}
    client.post("/saved-views", said | change, status=404)
    client.post("/saved-views", said | {"name": " "}, status=422)
    assert not tx.scalars(sa.select(SavedView)).all()


def test_anothers_view_is_neither_seen_nor_let_go(client: PageClient, tx: Session, world: World) -> None:
    client.sign_in(user_of(tx, world.account))
    client.post("/saved-views", {"list_name": "quotes.quotes", "query": "", "name": "Mine"})
    view = tx.scalars(sa.select(SavedView)).one()
    other = client.other().sign_in(user_of(tx, world.dealer))
    assert "Mine" not in " ".join(other.get("/quotes").all(".//nav//a"))
    for view_id in (str(view.id), "nonsense", ""):
        other.post("/saved-views/remove", {"view_id": view_id}, status=404)
    assert tx.scalars(sa.select(SavedView)).one().name == "Mine"
