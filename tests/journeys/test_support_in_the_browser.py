"""Support in a real browser, by moved clocks: a custom plan and a call under it, and a night at priority 1.

The day of the first story is Tuesday, 2 June 2026, in Camden; every instant below was counted by hand.
"""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from playwright.sync_api import expect

from referral.db import write
from support.operations.calls_telling import tell_of_due_calls
from tests.factories import user_of
from tests.journeys.hands import DESK, PHONE, TELL_IF_WIDER, fill, follow, press, says
from tests.support.call_ground import make_calls, ny

pytestmark = pytest.mark.sqlite_only("the operations behind it are tested on both databases")

CUSTOM = "/support/offers/custom"
PROBLEM = "The downlight over the table flickers below 5 percent"
NIGHT = "No keypad does anything and the software does not start"


class Clock:
    """The clock of the house, set by hand; it does not run."""

    def __init__(self) -> None:
        """Start on Monday morning, before anything happens."""
        self.at = ny(2, 9)

    def set(self, at: datetime) -> None:
        """It is this instant from now on."""
        self.at = at


@pytest.fixture
def clock(monkeypatch):
    set_by_hand = Clock()

    class Told(datetime):
        @classmethod
        def now(cls, tz=None):
            return set_by_hand.at.astimezone(tz)

    monkeypatch.setattr("referral.clock.datetime", Told)
    return set_by_hand


def opened(browse, viewer, tx, screen):
    page = browse(user_of(tx, viewer), **screen)
    page.context.add_init_script(TELL_IF_WIDER)
    return page


def build(dealer, site):
    """All four charts; what is chosen stands beside them before it is saved."""
    dealer.goto(CUSTOM)
    follow(dealer, "Build an agreement")
    fill(dealer, Customer="Edith Marsh", First_day="2026-06-02", Months="12")
    dealer.get_by_label(re.compile(re.escape(site))).check()
    for name, count in (
        ("48-hour (2 business days)", "2"),
        ("Preventive maintenance", "1"),
        ("Remote programming assistance", "1"),
    ):
        dealer.get_by_label(re.compile("^" + re.escape(name))).first.fill(count)
    dealer.get_by_label("100% parts replacement coverage (Ketra)").check()
    grants = dealer.locator("#grants")
    expect(grants).to_contain_text("48-hour (2 business days): 2 visits a contract year")
    expect(grants).to_contain_text("100% parts replacement coverage (Ketra)")
    press(dealer, "Save the draft")
    says(dealer, "is saved as a draft", "The program states its prices next")
    return dealer.url.rsplit("/", 1)[1]


def price(program, ref):
    program.goto(f"/agreements/{ref}")
    follow(program, "State the prices")
    program.get_by_label("Contract year 1").fill("1,800.00")
    fill(program, Tax_rate="5.5")
    press(program, "Offer it to the dealer")
    says(program, "is offered", "1,800.00", "99.00", "1,899.00")


def accept(dealer, ref, name):
    """With the terms ticked and the own name; another name is refused, and nothing is accepted."""
    dealer.goto(f"/agreements/{ref}")
    follow(dealer, "Read and accept")
    says(dealer, "1,899.00", "48-hour (2 business days): 2 visits a contract year")
    dealer.get_by_label("I accept the standard terms").check()
    fill(dealer, Type_your_name="Somebody else")
    press(dealer, "Accept the agreement")
    says(dealer, "Nothing was saved")
    fill(dealer, Type_your_name=name)
    press(dealer, "Accept the agreement")
    says(dealer, "is accepted", "0 of 2 visits used, 2 left")


def ask_for_help(dealer, unit, ref):
    """What the call is entitled to and when it is due are there before it is opened."""
    dealer.goto(f"/sources/{unit}")
    follow(dealer, "Open a service call")
    says(dealer, ref, "Thu 4 Jun 2026, 12:00 PM EDT")
    fill(dealer, What_is_wrong=PROBLEM)
    press(dealer, "Open the call")
    says(dealer, "is open", PROBLEM, "Thu 4 Jun 2026, 12:00 PM EDT")
    return dealer.url.rsplit("/", 1)[1]


def pause(program, call):
    program.goto(f"/calls/{call}")
    follow(program, "Pause…")
    program.get_by_label("Why").select_option("facility")
    fill(program, In_words="The house is let until Wednesday")
    press(program, "Pause")
    says(program, "Paused", "nothing is due until it is resumed")


def resume(program, call):
    """Seventeen business hours remained: all of Wednesday's rest, Thursday, and Friday's first hour."""
    program.goto(f"/calls/{call}")
    press(program, "Resume")
    says(program, "Fri 5 Jun 2026, 9:00 AM EDT")


def resolve(program, call):
    program.goto(f"/calls/{call}")
    press(program, "We are on it")
    says(program, "In time")
    follow(program, "Resolve")
    fill(program, In_words="A loose driver, fixed")
    press(program, "Resolve")
    says(program, "This uses 1 visit")
    press(program, "Yes, resolve it")
    says(program, "Resolved", "A loose driver, fixed", "In time", "Used: ")


@pytest.mark.parametrize("screen", [PHONE, DESK], ids=["390px", "1280px"])
def test_a_custom_plan_is_built_accepted_and_a_call_under_it_paused_and_resolved_in_time(
    screen, tx, browse, clock
):
    calls = make_calls(tx)
    unit = calls.u
    dealer, program = (opened(browse, each, tx, screen) for each in (calls.world.dealer, calls.world.program))
    ref = build(dealer, calls.site)
    price(program, ref)
    accept(dealer, ref, calls.world.dealer.name)
    clock.set(ny(2, 12))
    call = ask_for_help(dealer, unit, ref)
    clock.set(ny(2, 13))
    pause(program, call)
    clock.set(ny(3, 10))
    resume(program, call)
    clock.set(ny(5, 8, 30))
    resolve(program, call)
    for page in (dealer, program):
        page.goto(f"/agreements/{ref}")
        says(page, "1 of 2 visits used, 1 left", call)
    tx.expire_all()
    assert calls.faults() == []


def work(calls, clock):
    """The worker looks for what is due; returns the subjects of the mails it made."""
    before = subjects(calls)
    write(tell_of_due_calls, actor=None, at=clock.at, dealer_id=calls.world.dealer.company_id)
    return subjects(calls)[len(before) :]


def subjects(calls):
    """Every mail's subject, oldest first; the database is free again."""
    calls.tx.expire_all()
    found = [mail.subject for mail in calls.mails("")]
    calls.tx.commit()
    return found


def wake_somebody(dealer, agreement):
    """Out of hours, on a phone: that it pages is said before it is opened."""
    dealer.goto(f"/calls/new?agreement={agreement}")
    says(dealer, "Deluxe")
    fill(dealer, What_is_wrong=NIGHT)
    dealer.get_by_label("How badly").select_option("1")
    press(dealer, "Show what is due")
    says(dealer, "It pages", "within 15 minutes")
    press(dealer, "Open the call")
    says(dealer, "is open", "Page now", "Priority 1", "it pages")
    return dealer.url.rsplit("/", 1)[1]


def test_a_priority_1_at_night_pages_is_told_followed_up_and_resolved(tx, browse, clock, app, monkeypatch):
    monkeypatch.setitem(app.config, "DEMO", True)
    calls = make_calls(tx)
    agreement = calls.agree("deluxe", license_cents=5_000_000)
    dealer, program = (
        opened(browse, calls.world.dealer, tx, PHONE),
        opened(browse, calls.world.program, tx, DESK),
    )
    clock.set(ny(3, 22, 40))
    call = wake_somebody(dealer, agreement)
    assert [subject.split(":")[0] for subject in work(calls, clock)] == ["PAGE NOW"]
    program.goto("/calls")
    says(program, "Pages now", "Page now", NIGHT[:40])
    clock.set(ny(3, 22, 47))
    program.goto(f"/calls/{call}")
    press(program, "Confirm the problem")
    says(program, "Account management is told", "15 min left", "Wed 3 Jun 2026, 11:02 PM EDT")
    clock.set(ny(3, 23))
    (subject,) = work(calls, clock)
    assert subject.startswith(f"Due soon: {call}")
    program.goto("/outbox")
    says(program, subject, f"PAGE NOW: {call}")
    program.goto(f"/calls/{call}")
    press(program, "Account management told")
    says(program, "In time", "Account management calls the customer", "Thu 4 Jun 2026, 12:47 AM EDT")
    clock.set(ny(4, 0, 40))
    program.reload()
    press(program, "Customer called")
    says(program, "Thu 4 Jun 2026, 2:40 AM EDT", "2 h left")
    clock.set(ny(4, 1, 20))
    program.reload()
    follow(program, "Resolve")
    fill(program, In_words="A full disk; every keypad was tried")
    press(program, "Resolve")
    says(program, "Nothing is owed any more", "Not owed any more")
    clock.set(ny(4, 9))
    assert work(calls, clock) == []
    dealer.goto(f"/calls/{call}")
    says(dealer, "Resolved", "A full disk; every keypad was tried", "Thu 4 Jun 2026, 1:20 AM EDT")
    tx.expire_all()
    assert calls.faults() == []
