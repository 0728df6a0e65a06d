"""What an account still owes: by project and last day, also after its qualification ended."""

from __future__ import annotations

from datetime import UTC, date, datetime
from io import BytesIO

import openpyxl
import pytest
import sqlalchemy as sa

from quotes.operations.quotes import LineInput
from referral.errors import Refusal
from referral.models import Qualification
from tests.factories import AT, make_account, make_dealer, make_world, user_of
from tests.warranty.test_claims import Claims
from tests.warranty.test_listings import add_terms
from warranty.operations.claims import open_claim
from warranty.queries.obligations import obligation_days, obligations, owing_accounts

END = date(2027, 5, 3)
"""The last day of twelve months from the day of AT."""


@pytest.fixture
def owing(tx):
    add_terms(tx)
    return Claims(tx, make_world(tx))


def test_an_account_owes_by_project_and_last_day(tx, owing):
    owing.world.order()
    owed = obligations(tx, viewer=owing.world.account, at=AT)
    (project,) = owed.projects
    assert (project.units, project.first_end_on, project.last_end_on) == (20, END, END)
    assert (owed.units, owed.undetermined_units, owed.open_claims) == (20, 0, 0)
    assert [(row.year, row.units, row.last_end_on) for row in owed.years] == [(2027, 20, END)]
    assert owed.is_qualified
    days = list(obligation_days(tx, viewer=owing.world.account, at=AT))
    assert [(day, units) for _, _, _, day, units in days] == [(END, 20)]


def test_open_claims_and_undetermined_units_are_counted_by_project(tx, owing):
    open_claim(tx, **owing.opening())
    tx.flush()
    (project,) = obligations(tx, viewer=owing.world.account, at=AT).projects
    assert (project.units, project.open_claims) == (20, 1)
    world = owing.world
    _, ref = world.order(world.approve(world.submit(lines=[LineInput("L3I-STRIP", 5, "Attic")])))
    world.ship(ref)
    rows = obligations(tx, viewer=world.account, at=AT).projects
    assert [(row.units, row.undetermined_units, row.first_end_on) for row in rows] == [
        (20, 0, END),
        (0, 5, None),
    ]


def test_what_was_sold_is_owed_after_the_qualification_ended_and_the_page_says_so(client, tx, owing):
    world = owing.world
    tx.execute(
        sa.update(Qualification)
        .where(Qualification.company_id == world.account.company_id)
        .values(valid_to=date(2026, 5, 10))
    )
    later = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    owed = obligations(tx, viewer=world.account, at=later)
    assert (owed.is_qualified, owed.qualified_to, owed.units) == (False, date(2026, 5, 10), 20)
    client.sign_in(user_of(tx, world.account))
    page = client.get("/obligations")
    assert "ended on 10 May 2026" in page.text
    assert "stays covered by you" in page.text


def test_what_has_ended_is_owed_no_more(tx, owing):
    on_the_last_day = datetime(2027, 5, 3, 15, 0, tzinfo=UTC)
    the_day_after = datetime(2027, 5, 4, 15, 0, tzinfo=UTC)
    assert obligations(tx, viewer=owing.world.account, at=on_the_last_day).units == 20
    assert obligations(tx, viewer=owing.world.account, at=the_day_after).projects == ()


def test_each_side_sees_its_own_and_the_program_names_an_account(client, tx, owing):
    world = owing.world
    code = world.account.company_code
    assert obligations(tx, viewer=world.dealer, at=AT).units == 20
    assert obligations(tx, viewer=world.program, at=AT, account_code=code).units == 20
    stranger = make_account(tx, world.program)
    assert obligations(tx, viewer=stranger, at=AT).units == 0
    assert obligations(tx, viewer=make_dealer(tx, world.program), at=AT, account_code=code).units == 0
    with pytest.raises(Refusal, match="not_found"):
        obligations(tx, viewer=stranger, at=AT, account_code=code)
    assert code in dict(owing_accounts(tx))
    client.sign_in(user_of(tx, world.program))
    client.get("/obligations")
    assert "20 units" in client.get(f"/obligations?account={code}").text
    client.get("/obligations?account=NOBODY", status=404)
    client.get("/obligations.xlsx", status=422)
    client.get(f"/obligations.xlsx?account={code}")


def test_projects_are_paged_by_key_and_the_workbook_has_all(client, tx, owing):
    world = owing.world
    _, ref = world.order()
    world.ship(ref)
    first = obligations(tx, viewer=world.account, at=AT, limit=1)
    second = obligations(tx, viewer=world.account, at=AT, limit=1, after=first.after)
    assert second.after is None
    assert len({row.referral_ref for page in (first, second) for row in page.projects}) == 2
    client.sign_in(user_of(tx, world.account))
    book = openpyxl.load_workbook(
        BytesIO(client.get("/obligations.xlsx").response.get_data()), read_only=True
    )
    assert set(book.sheetnames) >= {"Projects", "Last days"}
    rows = list(book["Projects"].iter_rows(values_only=True))
    for project in (*first.projects, *second.projects):
        assert any(project.referral_ref in row for row in rows)
