"""A dealer that is quoted in another currency, from its price list to its statement, by the forms of the pages."""

from __future__ import annotations

import io
from contextvars import Context

import pytest

from referral.clock import now
from referral.operations.people import issue_api_token
from tests.factories import make_account, make_dealer, make_price_list, make_program, user_of
from tests.journeys.story import YEAR, make_workbook, table_of

NUMBER = "0048-7777"
PRICES = (
    ("Model number", "Description", "Family", "Category", "Unit", "List price"),
    ("D3-LIGHT", "Downlight, 25 degrees", "D3", "Light source", "each", 551.25),
    ("D3-TRIM", "Trim, round, white", "D3", "Accessory", "each", 44.45),
    ("PROC-1", "Processor", "Controls", "Control", "each", 1600),
)
AT_RATE = f"at 0.7312 USD per CAD, rate of 1 Jan {YEAR}"
LIGHTS = "551.25 × 4 × 1.0000 × 0.7312 = 1,612.30"
CREDIT = "1,742.31"
"""4 × 551.25 × 0.7312 = 1,612.296 and 4 × 44.45 × 0.7312 = 130.00736; the processor earns nothing."""
PRODUCTS = "3,982.80"
KEPT = "1,339.23"
"""Without one light, at 0.7312 still: 1,209.222 and 130.00736."""


@pytest.fixture
def people(client, tx):
    """The program with a list in its own currency, a dealer and an account, each signed in."""
    program = make_program(tx)
    make_price_list(tx, program)
    dealer = make_dealer(tx, program, number=NUMBER, code="MAPLE", name="Maple Light")
    account = make_account(tx, program, code="GLOW", name="Glow Works")
    signed_in = [client.sign_in(user_of(tx, program))]
    signed_in += [client.other().sign_in(user_of(tx, viewer)) for viewer in (dealer, account)]
    return *signed_in, dealer


def choose_currency(admin):
    page = admin.get("/companies/MAPLE")
    assert "USD" in page.text
    admin.click("Change the currency")
    refused = admin.submit("Set the currency", {"currency": "C$", "reason": "Canadian"}, status=422)
    assert "Type a currency code such as USD." in refused.text
    page = admin.submit("Set the currency", {"currency": "cad", "reason": "Canadian"})
    assert "no rate holds today, so nothing can be ordered" in page.text


def publish(admin):
    admin.get("/prices")
    admin.click("Import a price list")
    said = {"file": (io.BytesIO(make_workbook(PRICES)), "canada.xlsx"), "valid_from": f"{YEAR}-01-01"}
    preview = admin.submit("Preview the changes", said | {"currency": "CAD"})
    assert "The first price list in CAD" in preview.text
    assert "prices in CAD" in admin.submit(f"Publish from 1 Jan {YEAR}").text
    assert "CAD" in admin.get("/prices").text


def set_rate(admin, rate, day):
    admin.get("/settings")
    admin.click("Exchange rates")
    admin.click("Set a rate of CAD")
    said = {"rate": rate, "valid_from": day, "reason": "New year", "source": "Central bank, invented"}
    return admin.submit("Set the rate", said)


def refer(dealer):
    dealer.get("/referrals/new")
    said = {
        "project_name": "Maple house", "place": "Banff, AB", "spaces": "Kitchen", "client_name": "E. Roy",
        "account_code": "GLOW", "is_suitable": "y",
    }  # fmt: skip
    dealer.submit("Refer this project", said)


def build(builder):
    builder.get("/referrals/R-MAPLE-1")
    builder.submit("Accept the project")
    builder.submit("Start the quote")
    assert "551.25" in builder.submit("Search", {"words": "d3-light"}, status=200).text
    assert (
        "551.25"
        in builder.get("/prices/search?words=d3-light&currency=CAD", headers={"HX-Request": "true"}).text
    )
    builder.get("/quotes/Q-MAPLE-1/draft")
    said = {"account_number": NUMBER, "has_no_services": "y"}
    for at, (number, quantity) in enumerate((("D3-LIGHT", 4), ("D3-TRIM", 4), ("PROC-1", 1))):
        said |= {f"lines-{at}-model_number": number, f"lines-{at}-quantity": str(quantity)}
    checked = builder.submit("Save and check", said)
    for words in (
        "List price (CAD)",
        "Credit (USD)",
        f"CAD {PRODUCTS}",
        "not known: no rate of CAD holds today",
    ):
        assert words in checked.text, words
    builder.submit("Submit for approval")


def approve(dealer, name):
    home = dealer.get("/")
    for words in (f"${CREDIT}", AT_RATE, f"CAD {PRODUCTS}"):
        assert words in home.text, words
    review = dealer.get("/quotes/Q-MAPLE-1")
    for words in (f"${CREDIT}", f"in CAD; credit in USD, {AT_RATE}", f"CAD {PRODUCTS}"):
        assert words in review.text, words
    ticks = dict.fromkeys(
        ("attested_suitable", "attested_reviewed", "attested_complete", "attested_account_number"), "y"
    )
    typed = {"typed_account_number": NUMBER, "typed_name": name}
    assert "Revision 1 is approved" in dealer.submit("Approve revision 1", ticks | typed).text


def test_a_canadian_dealer_is_quoted_in_its_currency_and_credited_in_the_programs(people, tx):
    admin, dealer, builder, viewer = people
    choose_currency(admin)
    publish(admin)
    refer(dealer)
    build(builder)
    assert "0.7312" in set_rate(admin, "0.7312", f"{YEAR}-01-01").text
    approve(dealer, viewer.name)

    form = builder.get("/quotes/Q-MAPLE-1/revisions/1/order")
    assert f"${CREDIT} of sales credit {AT_RATE}" in form.text
    placed = builder.submit("Place the order", {"purchase_order": "PO-CA"})
    assert f"CAD {PRODUCTS}" in placed.text
    assert AT_RATE not in placed.text, "the account does not see the dealer's credit"

    assert "0.9000" in set_rate(admin, "0.9", f"{YEAR}-01-01").text
    order = dealer.get("/orders/O-MAPLE-1")
    for words in (f"${CREDIT}", AT_RATE, LIGHTS, f"CAD {PRODUCTS}"):
        assert words in order.text, words
    builder.get("/orders/O-MAPLE-1/cancel")
    field = next(
        each.get("name")
        for each in builder.page.tree.iter("input")
        if "D3-LIGHT" in (each.get("aria-label") or "")
    )
    confirm = builder.submit("Cancel these", {"reason": "One less", field: "1"}, status=200)
    assert "loses $403.08 of the sales credit" in confirm.text
    builder.submit("Yes, cancel 1 unit")

    statement = dealer.get(f"/credit/MAPLE/{YEAR}")
    assert CREDIT in statement.text
    assert KEPT in statement.text
    assert "Change the currency" not in admin.get("/companies/MAPLE").text
    admin.get("/companies/MAPLE/currency")
    refused = admin.submit("Set the currency", {"currency": "USD", "reason": "Back"}, status=409)
    assert "The dealer has quotes already" in refused.text
    assert f"and CAD {PRODUCTS}" in admin.get("/").text
    with Context().run(admin.flask.get, f"/credit/export?year={YEAR}") as answer:
        row, total = table_of(answer.get_data(), "Orders")
    assert (row["Products"], row["Products, other currency"], row["Currency"]) == (None, 3982.8, "CAD")
    assert (total["Products"], total["Products, other currency"]) == (0, None)
    assert (row["Exchange rate"], row["Credit earned"]) == (0.7312, 1742.31)
    check_api(builder.other(), tx, viewer)


def check_api(client, tx, viewer):
    """The API says the same."""
    _, token = issue_api_token(tx, user_id=viewer.user_id, at=now())
    tx.commit()
    order = client.api("GET", "/api/v1/orders/O-MAPLE-1", token=token).json
    assert (order["currency"], order["exchange_rate"], order["exchange_rate_on"]) == (
        "CAD",
        "0.7312",
        f"{YEAR}-01-01",
    )
    assert (order["amount"], order["credit"]) == ("3982.80", "1742.31")
    revision = client.api("GET", "/api/v1/quotes/Q-MAPLE-1/revisions/1", token=token).json
    assert (revision["currency"], revision["credit_currency"], revision["exchange_rate"]) == (
        "CAD",
        "USD",
        "0.9000",
    )
