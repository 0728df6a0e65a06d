"""A unit from its order to the warranty of the one that replaced it, in a real browser: desk, installer's and dealer's phones."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from referral.clock import business_day, now
from referral.models import Company
from referral.permissions import Role
from referral.queries.settings import time_zone
from referral.text import say_day
from tests.factories import SINCE, make_user, make_world, user_of
from tests.journeys.hands import DESK, PHONE, fill, follow, press, says
from warranty.operations.terms import set_term
from warranty.rules.months import last_day_of
from warranty.rules.terms import TermInput
from warranty.states import StartRule

pytestmark = pytest.mark.sqlite_only("the operations behind it are tested on both databases")

MONTHS = 24
SERIALS = [f"KT-26-{number:04}" for number in range(1, 11)]


def make_order(tx, day_of_order):
    """An order of ten lights and trims, with terms for their family; nothing has shipped."""
    world = make_world(tx)
    term = TermInput(
        family="D3",
        valid_from=SINCE,
        months=MONTHS,
        start_rule=StartRule.COMMISSIONED,
        cap_days=None,
        covers_parts=True,
        covers_labor=True,
        report_days=30,
        replacement_days=0,
        source="Program letter 9",
        reason="First terms",
    )
    set_term(tx, actor=world.program, at=day_of_order, said=term)
    quote = world.approve(world.submit(at=day_of_order), at=day_of_order)
    _, ref = world.order(quote, at=day_of_order)
    return world, ref


def ship(account, order, shipped_on):
    account.goto(f"/orders/{order}")
    follow(account, "Record a shipment")
    fill(account, Shipped_on=shipped_on.isoformat())
    press(account, "Record the shipment")
    says(account, "nothing left to ship")
    follow(account, "installed sources of this order")
    says(account, "D3-LIGHT", "10")


def import_serials(account, project):
    """The lights' serial numbers come from a file; one of them twice, which is refused and left out."""
    rows = ["Model,Room,Serial", *(f"D3-LIGHT,Kitchen,{serial}" for serial in [*SERIALS, SERIALS[0]])]
    account.goto(f"/referrals/{project}/sources")
    says(account, "without a last covered day")
    follow(account, "Import serials and days")
    file = {"name": "lights.csv", "mimeType": "text/csv", "buffer": "\n".join(rows).encode()}
    account.get_by_label("File").set_input_files(file)
    press(account, "Preview the rows")
    says(account, "One row is refused", "Nothing of it is recorded yet", SERIALS[9])
    account.get_by_label("Import the good rows").check()
    press(account, "Import 10 rows")
    says(account, "It is done", "10")
    follow(account, "See the project’s sources")
    says(account, *SERIALS)


def commission(installer, project, commissioned_on, last_on):
    """The installer, on a phone, says it of everything that is in place."""
    installer.goto(f"/referrals/{project}/sources")
    says(installer, "waits for: day of commissioning")
    follow(installer, "Record for all")
    follow(installer, "Commissioned")
    fill(installer, Day=commissioned_on.isoformat())
    press(installer, "Record for these sources")
    says(installer, say_day(last_on))


def source_of(page, serial):
    """Return the number of the unit with this serial number, as the project's page has it."""
    return page.locator("tr").filter(has_text=serial).get_by_role("link").first.inner_text()


def claim(dealer, unit, failed_on, last_on):
    """The dealer scans the label on the failed unit."""
    dealer.goto(f"/u/{unit}")
    says(dealer, f"Covered through {say_day(last_on)}", SERIALS[2], "Kitchen")
    follow(dealer, "It failed: open a claim")
    fill(dealer, What_is_wrong="It flickers below 5 percent", Failed_on=failed_on.isoformat())
    press(dealer, "Open the claim")
    says(
        dealer,
        "It flickers below 5 percent",
        "decides it",
        f"Covered through {say_day(last_on)}",
        "owes it: parts and labor",
    )


def replace(account, unit, today):
    account.goto("/claims")
    account.get_by_role("link", name="C-").first.click()
    says(account, "You decide it", "It is covered", unit)
    follow(account, "Decide it")
    press(account, "Accept the claim")
    says(account, "Accepted", "Frozen as it was known")
    follow(account, "Make it good")
    account.get_by_label("Order a warranty replacement").check()
    fill(account, The_new_one_took_its_place_on=today.isoformat())
    press(account, "Yes, make it good")
    says(account, "took its place on", say_day(today), "what is left of the warranty")


def see_the_new_unit(page, claimed, unit, today, last_on):
    """What is left of the warranty is the new unit's; the old one is taken out."""
    page.goto(claimed)
    new = page.locator("main").get_by_role("link", name="U-").first
    expect(new).not_to_have_text(unit)
    new.click()
    says(
        page,
        f"Covered through {say_day(last_on)}",
        f"It took the place of {unit} on {say_day(today)}",
        "Kitchen",
    )
    page.goto(f"/sources/{unit}")
    says(page, "Replaced", f"It was taken out on {say_day(today)}")


def test_an_ordered_unit_is_shipped_named_commissioned_claimed_and_replaced_in_the_browser(browse, tx):
    then = now() - timedelta(days=20)
    world, order = make_order(tx, then)
    installer = make_user(tx, tx.get_one(Company, world.account.company_id), Role.ACCOUNT_INSTALLER)
    today = business_day(now(), time_zone(tx))
    commissioned_on = today - timedelta(days=8)
    last_on = last_day_of(commissioned_on, MONTHS)
    project = order.replace("O-", "R-")
    account, dealer = browse(user_of(tx, world.account), **DESK), browse(user_of(tx, world.dealer), **PHONE)
    ship(account, order, today - timedelta(days=10))
    import_serials(account, project)
    commission(browse(user_of(tx, installer), **PHONE), project, commissioned_on, last_on)
    account.reload()
    unit = source_of(account, SERIALS[2])
    claim(dealer, unit, today - timedelta(days=2), last_on)
    replace(account, unit, today)
    claimed = account.url
    for page in (account, dealer):
        see_the_new_unit(page, claimed, unit, today, last_on)
