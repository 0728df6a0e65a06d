"""The quote workbench in a real browser, phone and desk: from a pasted bill to a cancelled foot of light.

Every figure below was added up by hand.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from ledger.queries.verification import ledger_faults
from referral.models import Company
from referral.permissions import Role
from referral.signin import make_password_hash
from tests.factories import make_account, make_dealer, make_price_list, make_program, make_user, user_of
from tests.journeys.hands import DESK, PHONE, TELL_IF_WIDER, fill, follow, press, says, sign_in
from tests.journeys.story import NUMBER, PASSWORD, YEAR

pytestmark = pytest.mark.sqlite_only("the same over HTTP is tried on both databases")

REF = "Q-HARBOR-1"
BILL = (
    ("Area", "SKU", "Qty", "List price"),
    ("Kitchen", "D3-LIGHT", "10", "412.50"),
    ("Kitchen", "D3-TRIM", "10", "33.33"),
    ("Dining", "D3-LIGHT", "6", "412.50"),
    ("Dining", "D3-TRIM", "6", "33.33"),
    ("Living room", "L3I-STRIP", "24", "99.99"),
    ("Living room", "D3-LIGHT", "4", "412.50"),
    ("Living room", "D3-TRIM", "4", "33.33"),
    ("Hall", "D3-LIGHT", "3", "412.50"),
    ("Hall", "D3-TRM", "3", "33.33"),
    ("Bath", "D3-LIGHT", "2", "412.50"),
    ("Bath", "D3-TRIM", "2", "33.33"),
    ("Equipment", "PROC-1", "1", "1,200.00"),
)
FIRST = {"products": "15,570.51", "credit": "14,370.51", "services": "2,500.00"}
"""Twelve lights in the kitchen, not ten; the processor earns no credit."""
SECOND = {"products": "15,770.49", "credit": "14,570.49", "more": "199.98", "services": "2,300.00"}
"""Six feet more in the kitchen, four feet less in the living room; installation for 200.00 less."""
KITCHEN = "5,883.24"
MIDDLE = "6,458.10"
"""Dining and living room: two orders, each worth the same in sales credit."""
TAKEN_BACK = "199.98"
CREDIT = "12,141.36"
NOT_ORDERED = "13 units worth $3,629.13"
"""Hall, bath and closet, and the two feet that were cancelled."""


@pytest.mark.parametrize("screen", [PHONE, DESK], ids=["390px", "1280px"])
def test_a_pasted_bill_is_revised_agreed_approved_by_a_delegate_ordered_in_parts_and_cancelled(
    screen, tx, browse
):
    program = make_program(tx)
    approver = make_dealer(tx, program, number=NUMBER, code="HARBOR", name="Harbor Lighting")
    builder = make_account(tx, program, code="GLOW", name="Glow Works")
    make_price_list(tx, program)
    company = tx.get_one(Company, approver.company_id)
    password = make_password_hash(PASSWORD)
    stand_in = {"name": "Dora Harbor", "email": "dora@harbor.example", "password_hash": password}
    make_user(tx, company, Role.DEALER_VIEWER, **stand_in)
    dealer, account = browse(user_of(tx, approver), **screen), browse(user_of(tx, builder), **screen)
    delegate = browse(**screen)
    for page in (dealer, account, delegate):
        page.context.add_init_script(TELL_IF_WIDER)

    refer(dealer)
    import_bill(account)
    edit_by_keyboard(account)
    submit_with_services(account)
    ask_for_changes(dealer)
    correct(account)
    counter(dealer)
    agree(account)
    lend(dealer)
    approve(delegate, approver.name)
    order_the_kitchen(account)
    order_the_middle(account)
    cancel(account)
    see_what_is_left(account, dealer)
    tx.expire_all()
    assert list(ledger_faults(tx)) == []


def refer(dealer):
    dealer.goto("/")
    follow(dealer, "Refer a project")
    fill(dealer, Project="Marsh house", Place="Camden, ME", Spaces="Kitchen\nHall")
    dealer.locator("#client_name").fill("Edith Marsh")
    dealer.get_by_label("Glow Works").check()
    dealer.locator("#is_suitable").check()
    press(dealer, "Refer this project")
    says(dealer, "The referral is open")


def import_bill(account):
    """One model number is mistyped: the preview names its cell and the nearest one, which is taken."""
    account.goto("/")
    follow(account, "R-HARBOR-1")
    press(account, "Accept the project")
    press(account, "Start the quote")
    follow(account, "Import a bill")
    account.locator("#pasted").fill("\n".join("\t".join(row) for row in BILL))
    press(account, "Preview the rows")
    says(account, "One row is refused", "B10: “D3-TRM” is not on price list 1", "nearest is D3-TRIM")
    press(account, "Import 11 lines")
    says(account, "Nothing was imported", "One row is refused")
    account.get_by_label("Take instead of D3-TRM").select_option("D3-TRIM")
    press(account, "Check again")
    says(account, "instead of D3-TRM", "14,745.51")
    press(account, "Import 12 lines")
    says(account, "12 lines of pasted.tsv are in the draft")


def edit_by_keyboard(account):
    """The draft saves itself some seconds after the last key."""
    account.clock.install()
    quantity = account.get_by_label("Quantity, line 1", exact=True)
    quantity.focus()
    account.keyboard.press("Control+A")
    account.keyboard.type("12")
    expect(account.locator("#totals")).to_contain_text(f"${FIRST['products']}")
    account.clock.fast_forward(5_000)
    expect(account.locator("#save-state")).to_have_text(re.compile(r"^Saved \d"))
    account.reload()
    expect(quantity).to_have_value("12")


def submit_with_services(account):
    account.get_by_label("Kind, service 1").select_option("Install")
    fill(account, **{"Description, service 1": "Installation", "Amount, service 1": "2,000"})
    account.get_by_label("Kind, service 2").select_option("Commissioning")
    fill(account, **{"Description, service 2": "Two days on site", "Amount, service 2": "500"})
    fill(account, **{"Dealer's account number": NUMBER})
    press(account, "Save and check")
    says(account, "Ready to submit", FIRST["products"], FIRST["services"])
    press(account, "Submit for approval")
    says(account, "Submitted.", "Waiting for")


def ask_for_changes(dealer):
    """A remark at a line first; then the revision goes back with what is asked for at lines."""
    dealer.goto("/")
    says(dealer, f"${FIRST['credit']}")
    follow(dealer, f"Review and decide {REF}")
    follow(dealer, "Remark on D3-TRIM, Hall")
    fill(dealer, Remark="White or black?")
    press(dealer, "Add the remark")
    says(dealer, "White or black?")
    follow(dealer, "Ask for changes")
    dealer.get_by_label("Remark, L3I-STRIP, Living room").fill("Twenty feet are enough")
    dealer.get_by_label("Remark, PROC-1, Equipment").fill("It goes into the closet")
    press(dealer, "Send back to Glow Works")
    says(dealer, "went back with your remarks", "Twenty feet are enough")


def correct(account):
    """Revision 2: one line changed, one moved to another room, one added."""
    account.goto("/")
    follow(account, REF)
    says(account, "White or black?")
    press(account, "Start revision 2")
    says(account, "The dealer: Twenty feet are enough", "The dealer: It goes into the closet")
    account.get_by_label("Quantity, line 5", exact=True).fill("20")
    account.get_by_label("Room, line 12", exact=True).fill("Closet")
    account.get_by_label("Model number, line 13", exact=True).fill("l3i-strip")
    account.get_by_label("Room, line 13", exact=True).fill("Kitchen")
    account.get_by_label("Quantity, line 13", exact=True).fill("6")
    expect(account.locator("#totals")).to_contain_text(f"${SECOND['products']}")
    press(account, "Save and check")
    press(account, "Submit for approval")
    says(account, "Submitted.")


def counter(dealer):
    """The dealer reads what differs, and offers less for the installation."""
    dealer.goto("/")
    follow(dealer, f"Review and decide {REF}")
    says(
        dealer, "What changed since revision 1", "+ 1 line, 1 changed, 1 moved to another room; 10 as before",
        "Quantity 24 → 20", "from Equipment to Closet", f"+ ${SECOND['more']}", f"${SECOND['credit']}",
    )  # fmt: skip
    follow(dealer, "Make another offer")
    fill(dealer, **{"Amount, service 1": "1,800", "Note to the other side": "As for the Finch house"})
    press(dealer, "Make this offer")
    says(dealer, "Your offer is made", "$2,000.00 → $1,800.00", "Waiting for Glow Works on the services")


def agree(account):
    account.goto(f"/quotes/{REF}")
    says(account, "Your turn on the services", "As for the Finch house")
    press(account, "Agree to offer 2")
    says(account, "The services are agreed", f"Services and labor: agreed, ${SECOND['services']}")


def lend(dealer):
    """The approver lends the right to decide for today alone."""
    dealer.goto("/")
    follow(dealer, "Lend your right to decide")
    follow(dealer, "Lend the right to decide")
    dealer.get_by_label("Lent to").select_option(label="Dora Harbor")
    first = dealer.get_by_label("First day").input_value()
    dealer.get_by_label("Last day, included").fill(first)
    press(dealer, "Lend the right")
    says(dealer, "The right is lent", "Dora Harbor")


def approve(delegate, approver):
    sign_in(delegate, "dora@harbor.example")
    says(delegate, f"You decide on behalf of {approver}")
    follow(delegate, f"Review and decide {REF}")
    says(delegate, f"You decide on behalf of {approver}", f"${SECOND['credit']}")
    for tick in delegate.locator("#decide input[type=checkbox]").all():
        tick.check()
    delegate.get_by_label("Type your Lutron account number").fill("0048 1234")
    delegate.get_by_label("Type your name").fill("Dora Harbor")
    press(delegate, "Approve revision 2")
    says(delegate, "Revision 2 is approved. Thank you.", f"Dora Harbor on behalf of {approver}")


def leave_out(account, *rooms):
    """Empty the quantities of these rooms: they are for a later order."""
    for quantity in account.get_by_label(re.compile(f"^Quantity to order, .*, ({'|'.join(rooms)})$")).all():
        quantity.fill("")


def order_the_kitchen(account):
    account.goto("/")
    follow(account, f"Enter the order {REF}")
    says(account, f"${SECOND['credit']} of sales credit")
    leave_out(account, "Dining", "Living room", "Hall", "Bath", "Closet")
    press(account, "Work out again")
    says(account, f"${KITCHEN} of sales credit")
    fill(account, Purchase_order_number="PO-7")
    press(account, "Place the order")
    says(account, "Order O-HARBOR-1 is entered", KITCHEN)


def order_the_middle(account):
    account.goto("/")
    follow(account, f"Enter the order {REF}")
    says(account, "all ordered")
    leave_out(account, "Hall", "Bath", "Closet")
    press(account, "Work out again")
    says(account, f"${MIDDLE} of sales credit")
    press(account, "Place the order")
    says(account, "Order O-HARBOR-2 is entered", MIDDLE)


def cancel(account):
    """Two feet of the first order, once the page has said what that takes back."""
    account.goto("/orders/O-HARBOR-1")
    follow(account, "Cancel lines")
    fill(account, Reason="Cut shorter")
    account.get_by_label("Quantity to cancel, L3I-STRIP, Kitchen").fill("2")
    press(account, "Cancel these")
    says(account, f"loses ${TAKEN_BACK} of the sales credit")
    press(account, "Yes, cancel 2 units")
    says(account, "The units are cancelled", "Cut shorter")


def see_what_is_left(account, dealer):
    """What is ordered, what is approved and not ordered, what it earned: the same for both sides."""
    for page in (account, dealer):
        page.goto(f"/quotes/{REF}")
        strip = page.locator("tr[id^=line-]").filter(has_text="L3I-STRIP").filter(has_text="6 ft")
        expect(strip.locator("[data-label=Ordered]")).to_have_text(re.compile(r"^4\b"))
        follow(page, "the project")
        says(page, f"{NOT_ORDERED} are approved and not ordered", REF)
    follow(dealer, "Credit")
    says(dealer, f"${CREDIT}")
    follow(dealer, f"Statement {YEAR}")
    says(dealer, KITCHEN, MIDDLE, f"-{TAKEN_BACK}", CREDIT, "Cut shorter")
