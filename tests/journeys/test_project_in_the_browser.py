"""A project from referral to credit and back in a real browser: dealer on the phone, account by keyboard, admin."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from referral.clock import now
from referral.permissions import CompanyKind, Role
from referral.signin import make_password_hash
from tests.factories import make_company, make_user, make_world, user_of
from tests.journeys import story
from tests.journeys.hands import PHONE, fill, follow, press, says, sign_in, tab_to
from tests.journeys.story import NUMBER, PASSWORD, YEAR

pytestmark = pytest.mark.sqlite_only("the journey over HTTP does the same on both databases")

BOOK = {"name": "list.xlsx", "mimeType": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


def set_up(admin):
    """Companies, number, qualification and levels, by the admin's pages."""
    for name, code, kind in (("Harbor Lighting", "HARBOR", "Dealer:"), ("Glow Works", "GLOW", "Account:")):
        admin.goto("/companies")
        follow(admin, "Add a company")
        fill(admin, Name=name, Code=code, City="Camden", Region="ME")
        admin.get_by_label(kind).check()
        press(admin, "Add the company")
        says(admin, "Next: its numbers, qualification and people")
    admin.goto("/companies/HARBOR")
    follow(admin, "Add an account number")
    fill(admin, Account_number=NUMBER, First_day=f"{YEAR}-01-01")
    press(admin, "Add the number")
    says(admin, NUMBER)
    admin.goto("/companies/GLOW")
    follow(admin, "Add a qualification")
    fill(admin, First_day=f"{YEAR}-01-01", Evidence="Certificate 7")
    press(admin, "Add the qualification")
    says(admin, "Ketra qualified")
    admin.goto(f"/levels/{YEAR + 1}")
    for at, (name, threshold) in enumerate(story.LEVELS, 1):
        admin.get_by_label(f"Name of level {at}").fill(name)
        admin.get_by_label(f"Total from which level {at} is reached").fill(threshold)
    fill(admin, Reason="New year", Source="Program letter")
    press(admin, "Set levels")
    says(admin, "Silver")


def join(admin, person, company, name, email, role):
    """The admin invites somebody, who takes the link of the outbox, chooses a password and signs in."""
    admin.goto(f"/companies/{company}")
    follow(admin, "Invite somebody")
    fill(admin, Name=name)
    admin.get_by_label("E-mail").fill(email)
    admin.get_by_label(role, exact=True).check()
    press(admin, "Send the invitation")
    says(admin, f"The invitation to {email} is on its way")
    person.goto("/outbox")
    mail = person.locator("article").filter(has_text=email)
    mail.get_by_role("link", name="invitations").click()
    says(person, f"Welcome, {name}")
    person.get_by_label("Password", exact=True).fill(PASSWORD)
    person.get_by_label("The same again").fill(PASSWORD)
    press(person, "Join")
    sign_in(person, email)


def publish(admin):
    """The admin uploads a real workbook, reads the preview and publishes it."""
    admin.goto("/prices")
    follow(admin, "Import a price list")
    admin.get_by_label("Price list file").set_input_files(BOOK | {"buffer": story.make_workbook()})
    fill(admin, First_valid_day=f"{YEAR}-01-01")
    press(admin, "Preview the changes")
    says(admin, "Nothing is published yet", "The first price list", "1,080.00")
    press(admin, f"Publish from 1 Jan {YEAR}")
    says(admin, "Price list 1 is published", "0007")


def refer(dealer):
    dealer.goto("/")
    follow(dealer, "Refer a project")
    fill(dealer, Project="Marsh house")
    press(dealer, "Refer this project")
    says(dealer, "Nothing was saved")
    fill(dealer, Place="Camden, ME", Spaces="Kitchen\nHall")
    dealer.locator("#client_name").fill("Edith Marsh")
    dealer.get_by_label("Glow Works").check()
    dealer.locator("#is_suitable").check()
    press(dealer, "Refer this project")
    says(dealer, "The referral is open")


def build_by_keyboard(account):
    """The first revision without the mouse: an item by words, one by its number, the rest typed; then the check."""
    account.goto("/")
    follow(account, "R-HARBOR-1")
    press(account, "Accept the project")
    press(account, "Start the quote")
    words = account.get_by_label("Model number or words")
    expect(words).to_be_focused()
    account.keyboard.type("downlight degrees")
    expect(account.locator("#hits")).to_contain_text("412.50")
    account.keyboard.press("Enter")
    expect(account.get_by_label("Quantity, line 1")).to_be_focused()
    account.keyboard.press("Control+A")
    account.keyboard.type("4")
    account.keyboard.press("Shift+Tab")
    account.keyboard.type("Kitchen")
    account.keyboard.press("Shift+Tab")
    for line, (number, quantity, room) in enumerate(story.LINES[1:], 2):
        account.keyboard.press("Enter")  # at the last row it asks for more rows
        expect(account.get_by_label(f"Model number, line {line}")).to_be_focused()
        account.keyboard.type(number.lower())
        account.keyboard.press("Tab")
        account.keyboard.type(room)
        account.keyboard.press("Tab")
        account.keyboard.type(str(quantity))
        account.keyboard.press("Shift+Tab")
        account.keyboard.press("Shift+Tab")
    expect(account.locator("#totals")).to_contain_text(f"${story.FIRST['products']}")
    tab_to(account, account.get_by_label("Kind, service 1"))
    account.keyboard.type("Install")
    account.keyboard.press("Tab")
    account.keyboard.type("Installation")
    account.keyboard.press("Tab")
    account.keyboard.type("1,000")
    tab_to(account, account.get_by_label("Dealer's account number"))
    account.keyboard.type(NUMBER)
    expect(account.locator("#totals")).to_contain_text(f"${story.FIRST['all']}")
    tab_to(account, account.get_by_role("button", name="Save and check"))
    account.keyboard.press("Enter")
    says(account, "Ready to submit", story.FIRST["products"], f"${story.FIRST['credit']}")
    tab_to(account, account.get_by_role("button", name="Submit for approval"))
    account.keyboard.press("Enter")
    says(account, "Submitted.", "Waiting for Harbor Lighting")


def send_back(dealer):
    dealer.goto("/")
    says(dealer, "1 quote waits for you", f"${story.FIRST['credit']}")
    follow(dealer, "Review and decide Q-HARBOR-1")
    says(dealer, f"${story.FIRST['credit']}", f"${story.FIRST['all']}", NUMBER, "Living room")
    follow(dealer, "Ask for changes")
    dealer.get_by_label("Remark, D3-LIGHT, Hall").fill("Three in the hall, please")
    press(dealer, "Send back to Glow Works")
    says(dealer, "went back with your remarks", "Three in the hall, please")


def answer(account):
    account.goto("/")
    follow(account, "Q-HARBOR-1")
    press(account, "Start revision 2")
    says(account, "The dealer: Three in the hall, please")
    account.get_by_label("Quantity, line 5").fill("3")
    expect(account.locator("#totals")).to_contain_text(f"${story.SECOND['products']}")
    press(account, "Save and check")
    press(account, "Submit for approval")
    says(account, "Submitted.")


def approve(dealer, *, revision=2, number="0048 1234", name="Ann Harbor"):
    for tick in dealer.locator("#decide input[type=checkbox]").all():
        tick.check()
    dealer.get_by_label("Type your Lutron account number").fill(number)
    dealer.get_by_label("Type your name").fill(name)
    press(dealer, f"Approve revision {revision}")
    says(dealer, f"Revision {revision} is approved. Thank you.")


def review(dealer):
    dealer.goto("/")
    follow(dealer, "Review and decide Q-HARBOR-1")
    says(dealer, "1 changed; 4 as before", "Quantity 2 → 3", f"${story.SECOND['credit']}")
    approve(dealer)


def order(account):
    """The kitchen first, then the rest."""
    account.goto("/")
    follow(account, "Enter the order Q-HARBOR-1")
    for each in ("L3I-STRIP, Living room", "PROC-1, Equipment", "D3-LIGHT, Hall"):
        account.get_by_label(f"Quantity to order, {each}").fill("")
    press(account, "Work out again")
    says(account, f"${story.PART['credit']} of sales credit")
    account.get_by_label("Purchase order number").fill("PO-7")
    press(account, "Place the order")
    says(account, "Order O-HARBOR-1 is entered", story.PART["products"])
    account.goto("/")
    follow(account, "Enter the order Q-HARBOR-1")
    press(account, "Place the order")
    says(account, "Order O-HARBOR-2 is entered", story.REST["products"])


def cancel(account):
    follow(account, "Cancel lines")
    fill(account, Reason="Cut shorter")
    account.get_by_label("Quantity to cancel, L3I-STRIP, Living room").fill("2")
    press(account, "Cancel these")
    says(account, f"loses ${story.TAKEN_BACK} of the sales credit")
    press(account, "Yes, cancel 2 units")
    says(account, "The units are cancelled", "Cut shorter")


def see_credit(dealer):
    dealer.goto("/")
    says(dealer, f"${story.CREDIT}", "Silver", f"${story.MISSING} to go to Gold", f"counts for {YEAR + 1}")
    follow(dealer, f"Statement {YEAR}")
    says(dealer, "Closing balance", "Cut shorter")
    assert dealer.locator("tbody td[data-label^=Balance]").all_inner_texts()[-3:] == story.BALANCES
    follow(dealer, "O-HARBOR-2")
    says(dealer, "Why this credit", "99.99 × 12 × 1.0000 = 1,199.88", "Ann Harbor", f"-{story.TAKEN_BACK}")


def export(admin):
    admin.goto("/credit")
    says(admin, story.CREDIT, "Balanced", story.MISSING)
    with admin.expect_download() as download:
        follow(admin, "Export to Excel")
    assert download.value.suggested_filename == f"sales-credit-{YEAR}.xlsx"
    story.check_year(Path(download.value.path()).read_bytes())


def test_a_referred_project_becomes_credit_in_the_browser(app, browse, tx, monkeypatch):
    monkeypatch.setitem(app.config, "DEMO", True)  # whose outbox shows its mails
    company = make_company(tx, CompanyKind.PROGRAM)
    make_user(
        tx,
        company,
        Role.PROGRAM_ADMIN,
        email="ada@program.example",
        password_hash=make_password_hash(PASSWORD),
    )
    admin, dealer, account = browse(), browse(**PHONE), browse()
    sign_in(admin, "ada@program.example")
    set_up(admin)
    join(admin, dealer, "HARBOR", "Ann Harbor", "ann@harbor.example", "Dealer approver")
    join(admin, account, "GLOW", "Ben Glow", "ben@glow.example", "Account builder")
    publish(admin)
    refer(dealer)
    build_by_keyboard(account)
    send_back(dealer)
    answer(account)
    review(dealer)
    order(account)
    cancel(account)
    see_credit(dealer)
    export(admin)


def test_a_dealer_approves_without_javascript(browse, tx):
    world = make_world(tx)
    ref = world.submit(at=now())
    dealer = browse(user_of(tx, world.dealer), java_script_enabled=False, **PHONE)
    dealer.goto("/")
    follow(dealer, f"Review and decide {ref}")
    press(dealer, "Approve revision 1")
    expect(dealer.locator("main")).to_contain_text("Nothing was saved")
    for tick in dealer.locator("#decide input[type=checkbox]").all():
        tick.check()
    dealer.get_by_label("Type your Lutron account number").fill(world.number)
    dealer.get_by_label("Type your name").fill(world.dealer.name)
    press(dealer, "Approve revision 1")
    expect(dealer.locator("main")).to_contain_text("Revision 1 is approved. Thank you.")
