"""The pages of imports, transfers and reversals: shown first, posted once, refusals beside their field."""

import io
from datetime import date

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerEntry
from ledger.operations.adjustments import adjust_credit
from ledger.queries.pair_verification import transfer_faults
from ledger.states import AccountKind
from referral.clock import now
from referral.db import read
from tests.factories import everything, make_dealer, make_world, user_of
from tests.ledger.test_operations_imports import csv_of, row
from tests.pages import filled_in


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def admin(client, world):
    return client.sign_in(user_of(world.tx, world.program))


def amounts(tx):
    return tx.scalars(sa.select(LedgerEntry.amount_cents).order_by(LedgerEntry.amount_cents)).all()


def today_year():
    return now().year


def upload(admin, content, name="rows.csv", kind="other_purchase", status=303):
    said = {"file": (io.BytesIO(content), name), "kind": kind}
    answer = admin.post("/credit/imports/new", said, status=status, content_type="multipart/form-data")
    return admin.get(answer.location) if status == 303 else answer


# imports ----------------------------------------------------------------------------------------


def test_a_file_is_previewed_posted_and_listed(tx, world, admin):
    admin.get("/credit")
    admin.click("Imports")
    admin.click("Import a file")
    page = upload(admin, csv_of(row(world, 1), row(world, 2, amount="2.50")))
    assert "2 rows" in page.text
    assert "102.50" in page.text
    assert amounts(tx) == []
    page = admin.submit("Post 2 rows", {"reason": "Distributor list"})
    assert "Posted 2 rows, 102.50." in page.text
    assert "rows.csv" in page.text
    assert "Done" in page.text
    assert amounts(tx) == [250, 10_000]


def test_posting_the_same_preview_twice_posts_once(tx, world, admin):
    page = upload(admin, csv_of(row(world, 1)))
    form, _ = page.form("Post 1 rows")
    said = filled_in(page.tree, form) | {"reason": "List"}
    for _ in range(2):
        admin.post(form.get("action"), said)
    assert amounts(tx) == [10_000]
    assert "Nothing to post" in admin.get(page.address).text


def test_a_bad_row_is_shown_with_its_cell_and_posts_nothing(tx, world, admin):
    page = upload(admin, csv_of(row(world, 1), row(world, 2, dealer="NOBODY", memo="<b>")))
    assert "One row is refused" in page.text
    assert "A3: “NOBODY” is no dealer’s code" in page.text
    before = read(everything)
    page = admin.submit("Post 1 rows", {"reason": "List"}, status=422)
    assert "Nothing was posted" in page.text
    assert "1 cells cannot be taken" in page.text
    assert read(everything) == before


def test_good_rows_alone_are_posted_on_purpose_and_the_rest_can_be_downloaded(tx, world, admin):
    page = upload(admin, csv_of(row(world, 1), row(world, 2, amount="1.005", memo="=1+1")))
    file = admin.get(page.link("Download the refused rows")).response
    assert file.headers["Content-Disposition"] == "attachment; filename=refused-rows.csv"
    lines = file.get_data().decode("utf-8-sig").splitlines()
    assert lines[0] == "Row,Refusal,Reason,Dealer,Account number,Day,Amount,Document,Memo"
    assert lines[1].startswith("3,file_has_errors,")
    assert lines[1].endswith("1.005,INV-2,'=1+1")
    admin.get(page.address)
    page = admin.submit("Post 1 rows", {"reason": "List", "good_only": "y"})
    assert "Posted 1 rows, 100.00." in page.text
    assert "1 refused rows are left out" in page.text
    assert "Posted already" in page.text
    assert amounts(tx) == [10_000]
    assert "1 rows left" in admin.get("/credit/imports").text


def test_the_file_of_refused_rows_can_be_imported_by_itself(tx, world, admin):
    page = upload(admin, csv_of(row(world, 1, dealer="LATER")))
    content = admin.get(page.link("Download the refused rows")).response.get_data()
    make_dealer(tx, world.program, code="LATER")
    assert "Post 1 rows" in upload(admin, content, "refused.csv").text


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "empty"),
        (b"Dealer,Day,Amount,Document\n", "no rows below the headings"),
        (b"Dealer\nA\n", "No column has the heading"),
        (b'Dealer,Day,Amount,Document\n"A,B', "cannot be read"),
        (b"Dealer,Day,Amount,Document\n" + b"A,2026-01-01,1,A\n" * 20_001, "flask ledger import"),
    ],
    ids=["nothing", "headings alone", "columns missing", "broken quotation", "too many rows"],
)
def test_a_file_that_cannot_be_imported_is_not_kept(tx, world, admin, content, says):
    tx.commit()
    before = read(everything)
    assert says in upload(admin, content, status=422).text
    assert read(everything) == before


def test_another_file_under_the_preview_is_refused(tx, world, admin):
    page = upload(admin, csv_of(row(world, 1)))
    admin.post(page.address, {"sha256": "0" * 64, "kind": "other_purchase", "reason": "List"}, status=409)
    assert amounts(tx) == []


def test_a_kind_that_cannot_be_imported_is_not_found(world, admin):
    page = upload(admin, csv_of(row(world, 1)))
    path = page.address.split("?")[0]
    for kind in ("", "order", "x" * 500):
        admin.get(f"{path}?kind={kind}", status=404)
        admin.get(f"{path}/refused?kind={kind}", status=404)
        admin.post(path, {"sha256": "", "kind": kind, "reason": "List"}, status=404)


# transfers --------------------------------------------------------------------------------------


def test_a_transfer_shows_both_sides_before_it_is_posted_once(tx, world, admin):
    other = make_dealer(tx, world.program)
    admin.get("/credit")
    admin.click("Transfer credit")
    said = {
        "from_dealer_code": world.dealer.company_code, "to_dealer_code": other.company_code,
        "account_kind": "sales_credit", "amount_cents": "1,000.00", "effective_on": f"{today_year()}-01-02",
        "reason": "The number changed hands\nin May",
    }  # fmt: skip
    page = admin.submit("Show the effect", said, status=200)
    assert "Nothing is posted yet" in page.text
    assert "-1,000.00" in page.text
    assert "Below zero afterwards" in page.text
    assert amounts(tx) == []
    form, _ = page.form("Post the transfer")
    confirmed = filled_in(page.tree, form) | {"confirm": "1"}
    for _ in range(2):
        place = admin.post("/credit/transfers", confirmed).location
    assert amounts(tx) == [-100_000, 100_000]
    assert f"T-{world.dealer.company_code}-1" in admin.get(place).text
    assert read(lambda tx: list(transfer_faults(tx))) == []


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"to_dealer_code": "self"}, "Choose two different dealers."),
        ({"to_dealer_code": "NOBODY"}, "No dealer has this code."),
        ({"to_dealer_code": ""}, "Choose a dealer."),
        ({"amount_cents": "0"}, "Type an amount from 0.01"),
        ({"amount_cents": "-5"}, "Type an amount from 0.01"),
        ({"effective_on": "2099-01-01"}, "still to come"),
        ({"account_kind": "issuance"}, "Not a valid choice"),
        ({"reason": " "}, "This is needed."),
    ],
    ids=str,
)
@pytest.mark.parametrize("confirm", [{}, {"confirm": "1"}], ids=["asked", "confirmed"])
def test_a_transfer_that_cannot_be_is_refused_before_and_at_the_confirmation(
    tx, world, admin, wrong, says, confirm
):
    other = make_dealer(tx, world.program)
    said = {
        "from_dealer_code": world.dealer.company_code, "to_dealer_code": other.company_code,
        "account_kind": "sales_credit", "amount_cents": "10", "effective_on": f"{today_year()}-01-02",
        "reason": "Sold", "idempotency_key": "k",
    }  # fmt: skip
    wrong = {name: world.dealer.company_code if text == "self" else text for name, text in wrong.items()}
    page = admin.post(
        "/credit/transfers", said | wrong | confirm, status=404 if "NOBODY" in wrong.values() else 422
    )
    assert says in page.text
    assert amounts(tx) == []


# reversals --------------------------------------------------------------------------------------


@pytest.fixture
def adjusted(tx, world):
    """The address of an adjustment of the dealer's credit."""
    adjust_credit(
        tx, actor=world.program, at=now(), dealer_code=world.dealer.company_code,
        effective_on=date(today_year(), 1, 1), amount_cents=12_345, reason="Mistake", idempotency_key="a",
    )  # fmt: skip
    return f"/credit/{world.dealer.company_code}/{today_year()}/{AccountKind.SALES_CREDIT.value}/1"


def test_a_reversal_shows_its_effect_and_posts_it_once(tx, adjusted, admin):
    page = admin.get(f"{adjusted}/reverse")
    assert "Mistake" in page.text
    assert page.text.count("-123.45") == 1
    form, _ = page.form("Take it back")
    said = filled_in(page.tree, form) | {"reason": "Typed wrongly"}
    assert said["effective_on"] == f"{today_year()}-01-01"
    for _ in range(2):
        place = admin.post(form.get("action"), said).location
    assert amounts(tx) == [-12_345, 12_345]
    assert "Typed wrongly" in admin.get(place).text
    assert "reversed already" in admin.get(f"{adjusted}/reverse", status=409).text
    assert "not reversed" in admin.get(f"{adjusted[:-1]}2/reverse", status=409).text


def test_a_reversal_before_its_entry_is_refused_beside_the_field(tx, adjusted, admin):
    admin.get(f"{adjusted}/reverse")
    early = {"reason": "Typed wrongly", "effective_on": f"{today_year() - 1}-12-31"}
    page = admin.submit("Take it back", early, status=422)
    assert "never dated before" in page.text
    assert amounts(tx) == [12_345]


def test_an_orders_credit_says_to_cancel_the_order(tx, world, admin):
    world.order()
    address = f"/credit/{world.dealer.company_code}/2026/sales_credit/1/reverse"
    assert "cancelling or returning" in admin.get(address, status=409).text


def test_an_entry_that_is_not_there_is_not_found(world, adjusted, admin):
    code, year = world.dealer.company_code, today_year()
    for address in (
        f"/credit/{code}/{year}/sales_credit/2", f"/credit/{code}/{year}/issuance/1", f"/credit/{code}/{year}/x/1",
        f"/credit/NOBODY/{year}/sales_credit/1", f"/credit/{code}/1066/sales_credit/1",
        f"/credit/{code}/{year}/sales_credit/0", f"/credit/{code}/{year}/sales_credit/99999999999999999999",
    ):  # fmt: skip
        admin.get(f"{address}/reverse", status=404)
