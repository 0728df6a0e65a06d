"""Lists of referrals, companies and people: filters in the address, paging by key, the workbook."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import openpyxl
import pytest

from referral.clock import now
from referral.models import Company
from referral.operations.referrals import open_referral
from referral.permissions import CompanyKind, Role
from tests.factories import World, make_company, make_user, make_world, user_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.pages import Page, PageClient

NOW = now()


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


def first_cells(page: Page, table: str = "table") -> list[str]:
    return page.all(f".//{table}/tbody/tr/th")


def pages_of(client: PageClient, address: str, word: str) -> list[Page]:
    pages = [client.get(address)]
    while word in pages[-1].all(".//nav/a"):
        pages.append(client.click(word))
    return pages


def opened(world: World, project: str) -> str:
    made = open_referral(
        world.tx, actor=world.dealer, at=NOW, account_code=world.account.company_code, project_name=project,
        place="Camden", spaces="", wanted_on=None, client_name="E", client_contact="", client_shared=False,
        is_suitable=True,
    )  # fmt: skip
    world.tx.flush()
    return f"R-{world.dealer.company_code}-{made.number}"


def test_the_filters_of_referrals_stand_in_the_address(client: PageClient, tx: Session, world: World) -> None:
    accepted, waiting = world.refer(project_name="Lighthouse", at=NOW), opened(world, "Barn")
    client.sign_in(user_of(tx, world.account))
    for query, expected in {
        "": [waiting, accepted],
        "words=light+camden": [accepted],
        f"words={world.dealer.company_name}": [waiting, accepted],
        "words=%25": [],
        "state=open": [waiting],
        "since=2099-01-01": [],
        "until=2099-01-01": [waiting, accepted],
    }.items():
        assert first_cells(client.get(f"/referrals?{query}")) == expected, query
    assert "has no filter “sate”" in client.get("/referrals?sate=open", status=404).text
    client.get("/referrals?state=lost", status=404)
    client.get("/referrals?since=soon", status=422)


def test_the_workbook_of_referrals_is_the_list_row_by_row(
    client: PageClient, tx: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("referral.sheets.referral_list.WORKBOOK_ROWS", 2)
    for number in range(5):
        opened(world, f"=House {number}")
    client.sign_in(user_of(tx, world.dealer))
    page = client.get("/referrals?words=house")
    assert "5 referrals" in page.all(".//div[@class='list-sum']//li")
    answer = client.get(page.link("Excel of this list")).response
    book = openpyxl.load_workbook(io.BytesIO(answer.get_data()))
    rows = list(book["Referrals"].iter_rows(min_row=2, values_only=True))
    assert [row[0] for row in rows] == first_cells(page)
    assert rows[0][1] == "=House 4"
    facts = {row[0]: row[1] for row in book["Control"].iter_rows(values_only=True)}
    assert int(facts["Referrals that fit"]) == 5
    assert facts["Filter: Project, place or company"] == "house"


def test_companies_are_paged_by_name(
    client: PageClient, tx: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [
        make_company(tx, CompanyKind.DEALER, code=f"PAGE{number}", name="Same name" if number < 3 else "Zoo")
        for number in range(5)
    ]
    client.sign_in(user_of(tx, world.program))
    monkeypatch.setattr("referral.queries.companies.companies_page.__kwdefaults__", _two("companies"))
    pages = pages_of(client, "/companies?words=page", "More →")
    codes = [code for page in pages for code in page.all(".//td[@data-label='Code']")]
    assert sorted(codes) == sorted(company.code for company in made)
    assert [len(first_cells(page)) for page in pages] == [2, 2, 1]
    client.get("/companies?after=NOBODY", status=404)


def test_people_are_paged_by_company_and_name(
    client: PageClient, tx: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = tx.get_one(Company, world.dealer.company_id)
    boss = make_user(tx, company, Role.DEALER_ADMIN)
    for _ in range(3):
        make_user(tx, company, Role.DEALER_VIEWER, name="Same Name")
    client.sign_in(user_of(tx, boss))
    monkeypatch.setattr("referral.queries.people.people_page.__kwdefaults__", _two("people"))
    pages = pages_of(client, "/people", "More →")
    mails = [mail for page in pages for mail in page.all(".//td[@data-label='E-mail']")]
    assert len(mails) == len(set(mails)) == 5
    assert [len(first_cells(page)) for page in pages] == [2, 2, 1]
    client.get(f"/people?after={world.account.user_id}", status=404)


def _two(which: str) -> dict[str, object]:
    """The defaults of a paged query with two rows a page."""
    return {"words": "", "after": "", "limit": 2} if which == "companies" else {"after": None, "limit": 2}
