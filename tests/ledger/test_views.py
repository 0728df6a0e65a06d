from datetime import date

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerEntry
from ledger.models.levels import LevelSet
from ledger.operations.adjustments import adjust_credit, record_other_purchase
from ledger.operations.levels import set_levels
from ledger.rules.credit import LevelStep
from quotes.operations.cancellations import cancel_order
from referral.models import Company, User
from referral.permissions import Role
from tests.factories import AT, make_dealer, make_user, make_world

STEPS = [LevelStep("Bronze", 0), LevelStep("Silver", 500_000), LevelStep("Gold", 5_000_000)]


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def sign_in(client, tx):
    """Sign a viewer in at the client."""
    return lambda viewer: client.sign_in(tx.get(User, viewer.user_id))


def adjust(tx, world, **overrides):
    said = {
        "actor": world.program,
        "at": AT,
        "dealer_code": world.dealer.company_code,
        "effective_on": date(2026, 5, 4),
        "amount_cents": 100_000,
        "reason": "Opening",
        "idempotency_key": "key-1",
    }
    return adjust_credit(tx, **(said | overrides))


def purchase(tx, world, amount_cents=20_000):
    record_other_purchase(
        tx,
        actor=world.program,
        at=AT,
        dealer_code=world.dealer.company_code,
        purchased_on=date(2026, 3, 1),
        amount_cents=amount_cents,
        document="INV-7",
        reason="Imported",
        idempotency_key="purchase-1",
    )


def levels(tx, world, level_year=2027):
    set_levels(
        tx,
        actor=world.program,
        at=AT,
        level_year=level_year,
        levels=STEPS,
        reason="Agreed",
        source="Letter",
    )


def entries(tx):
    return tx.scalars(sa.select(LedgerEntry).order_by(LedgerEntry.id)).all()


# reading ----------------------------------------------------------------------------------------


def test_a_dealer_sees_its_years_with_both_accounts_apart_and_the_level_they_give(tx, world, client, sign_in):
    adjust(tx, world, amount_cents=412_345)
    purchase(tx, world)
    levels(tx, world)
    text = sign_in(world.dealer).get("/credit").text
    for said in ("4,123.45", "200.00", "4,323.45", "Bronze", "676.55"):
        assert said in text


def test_before_the_first_posting_a_dealer_sees_zeros_and_what_is_not_set(world, sign_in):
    page = sign_in(world.dealer).get("/credit")
    assert "has not set the levels" in page.text
    assert "0.00" in page.text


def test_a_qualified_account_never_sees_credit(world, sign_in):
    client = sign_in(world.account)
    client.get("/credit", status=403)
    client.get(f"/credit/{world.dealer.company_code}/2026", status=403)
    client.get("/credit/export?year=2026", status=403)


def test_another_dealers_statement_does_not_exist(tx, world, sign_in):
    adjust(tx, world)
    other = make_dealer(tx, world.program)
    client = sign_in(other)
    client.get(f"/credit/{world.dealer.company_code}/2026", status=404)
    client.get(f"/credit/{other.company_code}/2026")
    assert world.dealer.company_code not in client.get(f"/credit?dealer={world.dealer.company_code}").text


def test_a_statement_shows_each_line_with_the_balance_after_it(tx, world, sign_in):
    adjust(tx, world, amount_cents=100_000)
    adjust(tx, world, amount_cents=-30_000, idempotency_key="key-2", reason="Too much")
    page = sign_in(world.dealer).get(f"/credit/{world.dealer.company_code}/2026")
    rows = page.all(".//table/tbody/tr")
    assert rows[0] == "Opening balance 0.00"
    assert "1,000.00 1,000.00" in rows[1]
    assert "-300.00 700.00" in rows[2]
    assert page.all(".//table/tfoot/tr") == ["Closing balance 700.00"]
    last = entries(tx)[-1]
    assert last.memo in rows[2]


def test_a_statement_leads_to_the_order_and_a_reversal_to_what_it_takes_back(tx, world, sign_in):
    _, ref = world.order()
    cancel_order(
        tx,
        actor=world.account,
        at=AT,
        ref=ref,
        quantities=None,
        reason="Sold",
        idempotency_key="c-1",
    )
    page = sign_in(world.dealer).get(f"/credit/{world.dealer.company_code}/2026")
    links = [link.get("href") for link in page.tree.iterfind(".//table//tbody//th/a")]
    assert links == [f"/orders/{ref}"] * 2
    assert f"Cancellation, takes back {ref}" in page.text
    assert page.all(".//table/tfoot/tr") == ["Closing balance 0.00"]


def test_a_long_statement_goes_on_with_the_balance_brought_forward(tx, world, sign_in):
    for number in range(101):
        adjust(tx, world, amount_cents=100, idempotency_key=f"key-{number}")
    client = sign_in(world.dealer)
    first = client.get(f"/credit/{world.dealer.company_code}/2026")
    assert first.all(".//table/tfoot/tr") == ["Balance so far 100.00"]
    second = client.click("Older →")
    assert second.all(".//table/tbody/tr")[0] == "Balance brought forward 100.00"
    assert second.all(".//table/tfoot/tr") == ["Closing balance 101.00"]


@pytest.mark.parametrize(
    "path",
    [
        "/credit/{0}/1999",
        "/credit/{0}/99999999999999999999",
        "/credit/{0}/2026?account=issuance",
        "/credit/{0}/2026?account=x",
        "/credit/{0}/2026?after=-1",
        "/credit/{0}/2026?after=5",
        "/credit/{0}/2026?after=99999999999999999999999",
        "/credit/NOBODY/2026",
        "/credit?year=abc",
        "/credit?year=1066",
        "/credit?year=%EF%BC%92026",
        "/credit?dealer=NOBODY",
        "/credit?dealer=%00",
        "/credit/export?year=",
        "/credit/export?year=99999",
        "/credit/export?year=2026&dealer=NOBODY",
        "/levels/1",
        "/levels/99999999999999999999",
    ],
)
def test_an_address_that_leads_nowhere_is_not_found(tx, world, sign_in, path):
    adjust(tx, world)
    sign_in(world.program).get(path.format(world.dealer.company_code), status=404)


def test_the_program_sees_the_year_of_all_dealers_with_totals_in_balance(tx, world, sign_in):
    other = make_dealer(tx, world.program)
    adjust(tx, world, amount_cents=100_000)
    adjust(tx, world, amount_cents=50_000, dealer_code=other.company_code)
    purchase(tx, world)
    levels(tx, world)
    client = sign_in(world.program)
    page = client.get("/credit?year=2026")
    assert page.all(".//table/tfoot/tr") == ["2 dealers 1,500.00 200.00 1,700.00"]
    assert "Balanced" in page.text
    one = client.get(f"/credit?year=2026&dealer={other.company_code}")
    assert one.all(".//table/tfoot/tr") == ["1 dealer 500.00 0.00 500.00"]
    assert client.get("/credit?year=2025").all(".//table/tfoot/tr") == ["2 dealers 0.00 0.00 0.00"]


def test_an_auditor_reads_everything_and_changes_nothing(tx, world, sign_in):
    adjust(tx, world)
    levels(tx, world)
    auditor = make_user(tx, tx.get(Company, world.program.company_id), Role.PROGRAM_AUDITOR)
    client = sign_in(auditor)
    assert "Adjust" not in client.get("/credit?year=2026").text
    assert "Silver" in client.get("/levels").text
    client.get("/credit/export?year=2026", buffered=True)
    for path in ("/credit/adjustments", "/credit/other-purchases", "/levels/2027"):
        client.get(path, status=403)
        client.post(path, {}, status=403)
    assert len(entries(tx)) == 1


# posting by hand --------------------------------------------------------------------------------

PURCHASE = {
    "purchased_on": "2025-11-03",
    "amount_cents": "$1,234.50",
    "document": "INV-1",
    "reason": "Imported from the distributor",
}
ADJUSTMENT = {"effective_on": "2025-11-03", "amount_cents": "-1,234.50", "reason": "Counted twice"}


def test_record_other_purchase_posts_and_shows_the_statement(tx, world, sign_in):
    client = sign_in(world.program)
    client.get(f"/credit/other-purchases?dealer={world.dealer.company_code}")
    page = client.submit("Record purchase", PURCHASE)
    assert page.address == f"/credit/{world.dealer.company_code}/2025?account=other_purchases"
    assert "Recorded 1,234.50" in page.text
    assert [(entry.amount_cents, entry.source) for entry in entries(tx)] == [(123_450, "INV-1")]


def test_record_other_purchase_sent_twice_posts_once(tx, world, sign_in):
    client = sign_in(world.program)
    page = client.get(f"/credit/other-purchases?dealer={world.dealer.company_code}")
    client.submit("Record purchase", PURCHASE)
    client.page = page
    client.submit("Record purchase", PURCHASE)
    assert len(entries(tx)) == 1


def test_adjust_credit_sent_again_with_other_content_says_so_and_can_be_meant(tx, world, sign_in):
    client = sign_in(world.program)
    page = client.get(f"/credit/adjustments?dealer={world.dealer.company_code}")
    client.submit("Post adjustment", ADJUSTMENT)
    client.page = page
    again = client.submit("Post adjustment", ADJUSTMENT | {"amount_cents": "5"}, status=422)
    assert "You sent this form before with other content" in again.text
    assert len(entries(tx)) == 1
    client.submit("Post adjustment")
    assert [entry.amount_cents for entry in entries(tx)] == [-123_450, 500]


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"amount_cents": "0"}, "Type an amount other than zero."),
        ({"amount_cents": "1e9"}, "Type an amount such as"),
        ({"amount_cents": "NaN"}, "Type an amount such as"),
        ({"amount_cents": "1.555"}, "Type an amount such as"),
        ({"amount_cents": "9" * 10_000}, "Type an amount such as"),
        ({"amount_cents": ""}, "This is needed."),
        ({"effective_on": "2999-01-01"}, "Type a day from 2000 to 2099."),
        ({"effective_on": "2099-01-01"}, "This day is still to come."),
        ({"effective_on": "yesterday"}, "Not a valid date"),
        ({"reason": " \t "}, "This is needed."),
        ({"reason": "😀" * 10_000}, "Field cannot be longer than"),
        ({"dealer_code": ""}, "Choose a dealer."),
        ({"dealer_code": "NOBODY"}, "There is nothing here that you may see."),
        ({"dealer_code": "\x00"}, "There is nothing here that you may see."),
        ({"idempotency_key": ""}, "This is needed."),
    ],
    ids=lambda value: str(value)[:40],
)
def test_adjust_credit_refuses_beside_the_field_and_saves_nothing(tx, world, sign_in, wrong, sentence):
    client = sign_in(world.program)
    client.get(f"/credit/adjustments?dealer={world.dealer.company_code}")
    page = client.submit(
        "Post adjustment", ADJUSTMENT | wrong, status=404 if wrong.get("dealer_code") else 422
    )
    assert sentence in page.text
    assert entries(tx) == []


@pytest.mark.parametrize(
    "wrong", [{"document": ""}, {"purchased_on": "2099-01-01"}, {"amount_cents": "-0"}], ids=str
)
def test_record_other_purchase_refuses_and_saves_nothing(tx, world, sign_in, wrong):
    client = sign_in(world.program)
    client.get(f"/credit/other-purchases?dealer={world.dealer.company_code}")
    page = client.submit("Record purchase", PURCHASE | wrong, status=422)
    assert len(page.all(".//p[@class='error']")) == 1
    assert entries(tx) == []


# levels -----------------------------------------------------------------------------------------


def filled(*steps, **more):
    rows = {f"levels-{at}-name": name for at, (name, _) in enumerate(steps)}
    rows |= {f"levels-{at}-threshold_cents": threshold for at, (_, threshold) in enumerate(steps)}
    return rows | {"reason": "New letter", "source": "Letter of May"} | more


def test_set_levels_adds_a_version_and_keeps_the_one_before(tx, world, sign_in):
    levels(tx, world)
    client = sign_in(world.program)
    client.get("/levels/2027")
    page = client.submit(
        "Set levels", {"levels-1-threshold_cents": "6,000", "reason": "Raised", "source": "Letter"}
    )
    assert "The levels of 2027 are set." in page.text
    assert "6,000.00" in page.text
    history = client.get("/levels/2027").text
    assert "Version 2" in history
    assert "Version 1" in history
    assert "5,000.00" in history


def test_set_levels_starts_from_those_of_the_year_before(tx, world, sign_in):
    levels(tx, world, 2026)
    page = sign_in(world.program).get("/levels/2027")
    assert page.tree.find(".//input[@id='levels-2-name']").get("value") == "Gold"


@pytest.mark.parametrize(
    "data",
    [
        filled(("Base", "1")),
        filled(("Base", "0"), ("High", "0")),
        filled(("Base", "0"), ("Base", "10")),
        filled(("Base", "0"), ("High", "20"), ("Middle", "10")),
        filled(("Base", "0"), ("High", "")),
        filled(("Base", "0"), ("", "5")),
        filled(("Base", "0"), ("High", "-5")),
        filled(("Base", "0"), ("x" * 10_000, "5")),
        filled(),
        filled(("Base", "0"), reason=""),
        filled(("Base", "0"), source=""),
    ],
    ids=[
        "base above 0",
        "equal thresholds",
        "equal names",
        "falling thresholds",
        "no threshold",
        "no name",
        "below 0",
        "long name",
        "empty",
        "no reason",
        "no source",
    ],
)
def test_set_levels_refuses_and_saves_nothing(tx, world, sign_in, data):
    client = sign_in(world.program)
    client.get("/levels/2027")
    page = client.submit("Set levels", data, status=422)
    assert "Nothing was saved." in page.text
    assert tx.scalars(sa.select(LevelSet)).all() == []


def test_set_levels_says_on_top_what_is_wrong_with_all_rows_together(world, sign_in):
    client = sign_in(world.program)
    client.get("/levels/2027")
    page = client.submit("Set levels", filled(("Base", "1")), status=422)
    assert "Levels need distinct names and rising thresholds that start at 0." in page.text
    assert "marked below" not in page.text


def test_set_levels_of_a_year_that_cannot_be_is_not_found(tx, world, sign_in):
    sign_in(world.program).post("/levels/99999", filled(("Base", "0")), status=404)
    assert tx.scalars(sa.select(LevelSet)).all() == []
