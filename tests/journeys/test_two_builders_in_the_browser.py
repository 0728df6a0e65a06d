"""Two people on one draft in a real browser: it saves itself, the second is told and chooses line by line."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from quotes.queries.quotes import quote_page
from referral.clock import now
from referral.models import Company
from referral.permissions import Role
from tests.factories import make_user, make_world, user_of

pytestmark = pytest.mark.sqlite_only("the same over HTTP is tried on both databases")


def test_the_builder_saves_itself_by_keyboard_and_two_people_choose_line_by_line(tx, client, browse):
    world = make_world(tx)
    ref = world.draft(at=now())
    tx.commit()
    company = tx.get_one(Company, world.account.company_id)
    colleague = make_user(tx, company, Role.ACCOUNT_BUILDER)
    first, second = browse(user_of(tx, world.account)), browse(user_of(tx, colleague))
    for page in (first, second):
        page.goto(f"/quotes/{ref}/draft")
    typed = first.get_by_label("Quantity, line 1")
    typed.focus()
    typed.press("Control+a")
    first.keyboard.type("12")
    expect(first.locator("#save-state")).to_have_text(
        re.compile(r"^Saved \d+:\d\d:\d\d [AP]M$"), timeout=15_000
    )
    expect(typed).to_be_focused()
    expect(first.locator("[name=draft_version]")).to_have_value("3")
    first.keyboard.press("Alt+Delete")
    expect(first.get_by_label("Remove line 1")).to_be_checked()
    first.keyboard.press("Alt+Delete")
    first.get_by_label("Quantity, line 2").fill("")
    first.keyboard.press("Control+s")
    expect(first.locator("#save-state")).to_have_text("Not saved: line 2 has no quantity")
    first.get_by_label("Quantity, line 2").fill("9")
    first.keyboard.press("Control+s")
    expect(first.locator("[name=draft_version]")).to_have_value("4")
    first.locator("h1").click()
    first.keyboard.press("?")
    expect(first.locator("#keys-help")).to_have_attribute("open", "")

    second.get_by_label("Room, line 1").fill("Hall")
    second.keyboard.press("Control+s")
    expect(second.locator("#save-conflict")).to_contain_text("saved this draft while you worked on it")
    second.get_by_role("button", name="See both side by side").click()
    expect(second.locator("main")).to_contain_text("Nothing of yours is lost")
    second.get_by_role("radiogroup", name="Line 1, D3-LIGHT").get_by_label("Yours").check()
    second.get_by_role("radiogroup", name="Line 2, D3-TRIM").get_by_label("The saved one").check()
    second.get_by_role("button", name="Save what I chose").click()
    expect(second.locator("main")).to_contain_text("put together as you chose")
    tx.expire_all()
    page = quote_page(tx, viewer=world.account, at=now(), ref=ref)
    assert [(row.line.room, row.line.quantity) for row in page.lines][:2] == [("Hall", 10), ("Kitchen", 9)]
