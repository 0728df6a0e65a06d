"""What an account says of itself, and how a dealer finds one."""

from datetime import date

import pytest
import sqlalchemy as sa

from referral.clock import now
from referral.db import read
from referral.models import AccountProfile, Company
from referral.operations.companies import add_qualification
from referral.operations.profiles import save_account_profile
from referral.operations.referrals import accept_referral
from referral.permissions import Role
from referral.queries.accounts import find_accounts
from tests.factories import AT, SINCE, everything, make_account, make_user, make_world, refused, user_of
from tests.referral.test_operations_referrals import open_ref

PROFILE = {"regions": "nh, ME; vt me", "capacity": "2", "note": "Galleries are our trade."}


def admin_of(world, account=None):
    company = world.tx.get_one(Company, (account or world.account).company_id)
    return make_user(world.tx, company, Role.ACCOUNT_ADMIN)


def profile(world, account=None, **overrides):
    said = {"actor": admin_of(world, account), "at": AT, "regions": "ME NH", "capacity": 5, "note": ""}
    save_account_profile(world.tx, **said | overrides)
    world.tx.flush()


def found(world, **said):
    return [row.code for row in find_accounts(world.tx, viewer=world.dealer, at=AT, **said).accounts]


def test_a_company_admin_says_where_the_account_works_and_how_much_it_takes_on(client, tx):
    world = make_world(tx)
    client.sign_in(user_of(tx, admin_of(world))).get("/")
    client.click("What dealers read about your company: regions, capacity, note")
    page = client.submit("Save the profile", PROFILE)
    assert "Dealers see this from now on" in page.text
    row = tx.scalars(sa.select(AccountProfile)).one()
    assert (row.regions, row.capacity, row.note) == (["ME", "NH", "VT"], 2, "Galleries are our trade.")
    client.submit("Save the profile", {"regions": "ME", "capacity": "0", "note": ""})
    assert tx.scalars(sa.select(AccountProfile.capacity)).one() == 0


@pytest.mark.parametrize(
    "change",
    [
        {"regions": "Maine"},
        {"regions": ""},
        {"regions": "M1"},
        {"regions": ","},
        {"capacity": "-1"},
        {"capacity": "x"},
    ],
)
def test_save_account_profile_refuses(client, tx, change):
    world = make_world(tx)
    client.sign_in(user_of(tx, admin_of(world)))
    tx.commit()
    before = read(everything)
    client.post("/profile", PROFILE | change, status=422)
    assert read(everything) == before


def test_only_a_company_admin_of_an_account_saves_its_profile(tx):
    world = make_world(tx)
    said = {"at": AT, "regions": "ME", "capacity": 1, "note": ""}
    for actor in (world.account, world.dealer, world.program):
        refused(tx, "forbidden", save_account_profile, actor=actor, **said)
    refused(tx, "invalid_input", save_account_profile, actor=admin_of(world), **said | {"capacity": -1})


def test_a_dealer_finds_accounts_by_region_and_by_what_they_are_qualified_for(tx):
    world = make_world(tx)
    far = make_account(tx, world.program, region="AK")
    profile(world, regions="ME, NH")
    assert found(world) == [world.account.company_code, far.company_code]
    assert found(world, region="nh") == [world.account.company_code]
    assert found(world, region="AK") == [far.company_code]
    assert found(world, region="TX") == []
    narrow = make_account(tx, world.program, region="AK", qualified_to=date(2021, 1, 1))
    add_qualification(
        tx,
        actor=world.program,
        at=AT,
        code=narrow.company_code,
        valid_from=SINCE,
        valid_to=None,
        evidence="Course",
        families="L3I, D3 , l3i",
    )
    tx.flush()
    assert narrow.company_code in found(world, family="D3")
    assert narrow.company_code not in found(world, family="S30")
    assert find_accounts(tx, viewer=world.dealer, at=AT).families == ("D3", "l3i")


def test_running_projects_count_against_capacity_and_full_accounts_come_last(tx):
    world = make_world(tx)
    far = make_account(tx, world.program, region="AK")
    profile(world, capacity=2)
    accept_referral(tx, actor=world.account, at=AT, ref=open_ref(world))
    first = find_accounts(tx, viewer=world.dealer, at=AT).accounts[0]
    assert (first.running, first.capacity, first.is_full) == (1, 2, False)
    open_ref(world, project_name="Barn")
    assert found(world) == [far.company_code, world.account.company_code]
    unknown, full = find_accounts(tx, viewer=world.dealer, at=AT).accounts
    assert (unknown.capacity, unknown.is_full) == (None, False)
    assert (full.running, full.is_full) == (2, True)


def test_the_page_narrows_by_the_address_and_shows_what_each_account_says(client, tx):
    world = make_world(tx)
    far = make_account(tx, world.program, region="AK")
    profile(world, capacity=1, note="Galleries are our trade.")
    open_ref(world, at=now())
    client.sign_in(user_of(tx, world.dealer))
    page = client.get("/referrals/new")
    assert "1 of 1 projects running" in page.text
    assert "does not say how many it takes" in page.text
    assert "Full" in page.text
    narrowed = client.get("/referrals/new?region=NH")
    assert "Galleries are our trade." in narrowed.text
    assert far.company_name not in narrowed.text
    client.get("/referrals/new?region=%00", status=404)
    assert "No account fits" in client.get("/referrals/new?region=ZZ").text
