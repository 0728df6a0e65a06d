"""One search over what the viewer may see, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from referral.clock import now
from referral.models import Company
from referral.permissions import Role
from tests.factories import World, make_account, make_dealer, make_user, make_world, user_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from referral.permissions import Viewer
    from tests.pages import Page, PageClient

NOW = now()


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


def found(client: PageClient, words: str) -> dict[str, list[str]]:
    """What a search shows: titles and labels."""
    page = client.get("/search", query_string={"q": words})
    return {
        "".join(section.find("h2").text): ["".join(link.itertext()) for link in section.iterfind(".//li/a")]  # type: ignore[union-attr, arg-type] # the page has them
        for section in page.tree.iterfind(".//section[@class='hits']")
    }


def a_project(world: World, **said: object) -> tuple[str, str, str]:
    """A referral, its quote, and the quote's shipped order, all of one project."""
    referral = world.refer(at=NOW, **said)
    world.refer = lambda **_said: referral  # type: ignore[method-assign] # the next draft is of this one
    quote = world.draft(at=NOW)
    del world.refer  # type: ignore[method-assign] # the class's own again
    world.submit(quote, at=NOW)
    world.approval(quote, at=NOW)
    _, order = world.order(quote, at=NOW, purchase_order="PO_77%")
    world.ship(order, at=NOW, shipped_on=NOW.date(), tracking_number="1Z-XYZ-42")
    return referral, quote, order


def test_each_kind_is_found_by_its_words(client: PageClient, tx: Session, world: World) -> None:
    referral, quote, order = a_project(world, project_name="Lighthouse", client_name="Edith Marsh")
    client.sign_in(user_of(tx, world.dealer))
    assert found(client, "lighthouse camden") == {"Referrals": [referral], "Quotes": [quote]}
    assert found(client, "edith") == {"Referrals": [referral]}
    assert found(client, "po_77%") == {"Orders": [order]}
    assert found(client, "xyz-42") == {"Orders": [order]}
    assert found(client, "downlight 25") == {"Price list": ["D3-LIGHT"]}
    code = world.dealer.company_code
    assert found(client, f"{code}-1") == {
        "Referrals": [referral],
        "Quotes": [quote],
        "Orders": [order],
        "Installed sources": [f"U-{code}-1"],
    }
    assert "What do you look for?" in client.get("/search").text


def test_the_program_finds_companies_by_account_number_and_people(
    client: PageClient, tx: Session, world: World
) -> None:
    client.sign_in(user_of(tx, world.program))
    dealer = tx.get_one(Company, world.dealer.company_id)
    for words in (world.number, world.number.replace("-", ""), dealer.code.lower(), dealer.name.upper()):
        assert found(client, words)["Companies"] == [dealer.name], words
    assert found(client, world.dealer.email) == {"People": [world.dealer.name]}


@pytest.mark.parametrize("words", ["%", "_", "\\", "%%%", "/", "'", '"', "[a]", "*"])
def test_signs_of_the_database_are_plain_text(
    words: str, client: PageClient, tx: Session, world: World
) -> None:
    world.refer()
    client.sign_in(user_of(tx, world.program))
    assert found(client, words) == {}


def test_a_whole_number_goes_straight_to_its_page(client: PageClient, tx: Session, world: World) -> None:
    referral, quote, order = a_project(world)
    client.sign_in(user_of(tx, world.account))
    for ref, folder in ((referral, "referrals"), (quote, "quotes"), (order, "orders")):
        page = client.get(f"/search?q={ref.lower()}", status=303)
        assert page.location.endswith(f"/{folder}/{ref}")
        client.get(page.location)


def strangers(tx: Session, world: World) -> list[Viewer]:
    """People of other companies, of both kinds, with every role."""
    dealer, account = make_dealer(tx, world.program), make_account(tx, world.program)
    return [
        make_user(tx, tx.get_one(Company, who.company_id), role)
        for who, kind in ((dealer, "dealer"), (account, "account"))
        for role in Role
        if role.company_kind == kind
    ]


def without_words(page: Page, *words: str) -> str:
    """What a page shows, but for the words that were looked for and the token."""
    text = page.text
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "…")
    return text


def test_nothing_of_another_company_is_found_by_any_word(
    client: PageClient, tx: Session, world: World
) -> None:
    referral, quote, order = a_project(world, project_name="Lighthouse", client_name="Edith Marsh")
    code = world.dealer.company_code
    for stranger in strangers(tx, world):
        client.sign_in(user_of(tx, stranger))
        for words in (
            *("Lighthouse", "Edith", "PO_77%", "1Z-XYZ-42", "Camden", f"{code}-1", code),
            *(world.dealer.company_name, world.number, world.account.email),
        ):
            assert found(client, words) == {}, (stranger.roles, words)
        for ref in (referral, quote, order):
            foreign = client.get(f"/search?q={ref}")
            unknown = client.get(f"/search?q={ref}9")
            assert without_words(foreign, ref) == without_words(unknown, f"{ref}9")


def test_an_account_does_not_find_a_client_that_is_not_shared(
    client: PageClient, tx: Session, world: World
) -> None:
    world.refer(client_name="Edith Marsh")
    shared = world.refer(client_name="Edith Bell", client_shared=True)
    client.sign_in(user_of(tx, world.account))
    assert found(client, "edith") == {"Referrals": [shared]}
    assert found(client, "marsh") == {}


def test_a_dealer_does_not_find_a_draft(client: PageClient, tx: Session, world: World) -> None:
    quote = world.draft()
    client.sign_in(user_of(tx, world.dealer))
    assert "Quotes" not in found(client, "camden")
    assert client.get(f"/search?q={quote}").status == 200
    client.sign_in(user_of(tx, world.account))
    assert found(client, "camden")["Quotes"] == [quote]
    client.get(client.get(f"/search?q={quote}", status=303).location)


def test_long_results_lead_to_the_filtered_list(client: PageClient, tx: Session, world: World) -> None:
    made = [world.draft() for _ in range(9)]
    client.sign_in(user_of(tx, world.account))
    assert found(client, "house")["Quotes"] == made[:0:-1]
    page = client.click("More quotes")
    assert page.all(".//tbody//th") == made[::-1]


def test_the_box_stands_on_every_page_of_who_is_signed_in(
    client: PageClient, tx: Session, world: World
) -> None:
    assert "Find" not in client.get("/sign-in").all(".//button")
    client.get("/search?q=a", status=303)
    client.sign_in(user_of(tx, world.account))
    page = client.get("/")
    assert "Find" in page.all(".//header//button")
    assert "Nothing fits" in client.submit("Find", {"q": "nothing like it"}, status=200).text
