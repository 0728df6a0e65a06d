"""The mails of quotes and orders: what each says and where it leads, and reminders before expiry."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import url_for

from quotes.models.recalls import ExpiryReminder
from quotes.operations.cancellations import cancel_order
from quotes.operations.decisions import decline_revision, request_changes
from quotes.operations.reminders import remind_of_expiry
from quotes.queries.reminders import reminders_due
from quotes.rules.mails import order_path, quote_path
from referral.db import read, write
from referral.models import Company, OutgoingMail
from referral.operations.delegations import lend_decision
from referral.operations.mail import choose_mail
from referral.permissions import Role
from referral.rules import referral_path
from referral.signin import make_password_hash
from tests.factories import AT, PASSWORD, everything, make_user, make_world, user_of

LAST_DAY = AT + timedelta(days=30)
"""A revision submitted at AT holds through 3 June."""


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def told(tx):
    """The mails owed since the last time this was asked."""
    seen = set()

    def ask():
        tx.flush()
        found = tx.scalars(sa.select(OutgoingMail).order_by(OutgoingMail.id)).all()
        new = [mail for mail in found if mail.id not in seen]
        seen.update(mail.id for mail in found)
        return new

    return ask


def one(mails, person):
    """The only mail, which goes to this person."""
    assert [mail.recipient for mail in mails] == [person.email]
    assert mails[0].is_digestible
    return mails[0]


def decide(world, operation, ref, **said):
    return operation(
        world.tx, actor=world.dealer, at=AT, ref=ref, revision_number=1, digest=world.digest(ref), **said
    )


def test_submitted_tells_the_approvers_what_to_do_until_when(world, told):
    draft = world.draft()
    told()
    ref = world.submit(draft)
    mail = one(told(), world.dealer)
    assert mail.subject.startswith(f"{ref} waits for your approval: House ")
    assert "approve it, ask for changes, or decline it" in mail.body
    assert "through 3 Jun 2026" in mail.body
    assert mail.path == f"/quotes/{ref}?revision=1"


def test_changes_asked_tells_the_builders_why_and_that_a_revision_is_next(world, told):
    ref = world.submit()
    told()
    line_id = world.line_ids(ref)[0]
    decide(world, request_changes, ref, reason="Two more", remarks={line_id: "Twelve, please"})
    mail = one(told(), world.account)
    assert mail.subject.startswith(f"{ref} is sent back with a request for changes: ")
    assert "Reason: Two more" in mail.body
    assert "1 line has a remark" in mail.body
    assert "next revision" in mail.body
    assert mail.path == f"/quotes/{ref}?revision=1"


def test_approved_tells_the_builders_to_order_until_when(world, told):
    ref = world.submit()
    told()
    world.approve(ref)
    mail = one(told(), world.account)
    assert mail.subject.startswith(f"{ref} is approved: ")
    assert f"{world.dealer.name} approves revision 1" in mail.body
    assert "through 3 Jun 2026" in mail.body
    assert mail.path == f"/quotes/{ref}?revision=1"


def test_declined_tells_the_builders_why(world, told):
    ref = world.submit()
    told()
    decide(world, decline_revision, ref, reason="Too dear")
    mail = one(told(), world.account)
    assert mail.subject.startswith(f"{ref} is declined: ")
    assert "Reason: Too dear" in mail.body
    assert mail.path == f"/quotes/{ref}?revision=1"


def test_ordered_tells_the_approvers_that_credit_is_posted(world, told):
    ref = world.approve()
    told()
    _, number = world.order(ref)
    mail = one(told(), world.dealer)
    assert mail.subject.startswith(f"{number} is ordered: ")
    assert "sales credit is on your statement" in mail.body
    assert mail.path == f"/orders/{number}"


def test_shipped_tells_the_approvers_what_when_and_by_whom(world, told):
    _, number = world.order()
    told()
    world.ship(number)
    mail = one(told(), world.dealer)
    assert mail.subject == f"{number}: 21 units have shipped"
    assert "on 4 May 2026 by UPS, tracking number 1Z999" in mail.body
    assert mail.path == f"/orders/{number}"


def test_expiring_tells_the_approvers_and_their_delegates_before_it_is_too_late(world, tx, told):
    ref = world.submit()
    other = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    day = (LAST_DAY - timedelta(days=3)).date()
    lend_decision(
        tx, actor=world.dealer, at=AT, approver_id=world.dealer.user_id, delegate_id=other.user_id,
        first_on=day, last_on=day,
    )  # fmt: skip
    told()
    remind(world, LAST_DAY - timedelta(days=3))
    mails = told()
    assert {mail.recipient for mail in mails} == {world.dealer.email, other.email}
    assert mails[0].subject.startswith(f"{ref} expires on 3 Jun 2026: House ")
    assert "Approve it, ask for changes, or decline it until then" in mails[0].body
    assert mails[0].path == f"/quotes/{ref}?revision=1"
    assert all(mail.is_digestible for mail in mails)


def remind(world, at):
    return remind_of_expiry(world.tx, actor=None, at=at, dealer_id=world.dealer.company_id)


# reminders --------------------------------------------------------------------------------------


def test_a_revision_is_reminded_of_once_in_its_last_days_as_the_setting_says(world, tx, told):
    world.submit()
    told()
    tx.commit()
    first = datetime(2026, 5, 31, 4, 0, tzinfo=UTC)  # midnight in New York, three days before the last
    assert read(reminders_due, at=first - timedelta(seconds=1)) == []
    assert remind(world, first - timedelta(seconds=1)) == 0
    tx.commit()
    assert read(reminders_due, at=first) == [world.dealer.company_id]
    assert remind(world, first) == 1
    tx.commit()
    assert read(reminders_due, at=first) == []
    assert [remind(world, first + timedelta(days=day)) for day in range(5)] == [0] * 5
    assert len(told()) == 1


def test_what_expires_today_does_not_wait_for_a_digest_and_what_expired_is_past(world, tx, told):
    world.submit()
    told()
    tx.commit()
    after = datetime(2026, 6, 4, 4, 0, tzinfo=UTC)  # midnight behind the last day in New York
    assert read(reminders_due, at=after) == []
    assert remind(world, after) == 0
    assert remind(world, after - timedelta(seconds=1)) == 1
    assert [mail.is_digestible for mail in told()] == [False]


def test_nobody_is_reminded_of_what_is_decided(world, told):
    decide(world, decline_revision, world.submit(), reason="No")
    told()
    assert remind(world, LAST_DAY) == 0
    assert told() == []


def test_builders_are_reminded_of_what_is_approved_and_not_wholly_ordered(world, tx, told):
    world.order()
    ref = world.approve()
    world.order(ref, quantities={world.line_ids(ref)[0]: 4})
    told()
    assert remind(world, LAST_DAY - timedelta(days=1)) == 1
    mail = one(told(), world.account)
    assert mail.subject.startswith(f"{ref} can be ordered until 3 Jun 2026: ")
    assert "17 units of it are not ordered yet" in mail.body


def test_units_that_are_cancelled_can_be_ordered_and_are_reminded_of(world, tx, told):
    _, number = world.order()
    assert remind(world, LAST_DAY - timedelta(days=2)) == 0
    cancel_order(
        tx, actor=world.account, at=AT, ref=number, quantities=None, reason="Not wanted", idempotency_key="c"
    )
    told()
    assert remind(world, LAST_DAY - timedelta(days=1)) == 1
    assert "21 units" in one(told(), world.account).body


def test_workers_at_the_same_time_remind_once(world, tx, at_once):
    for _ in range(3):
        world.submit()
    dealer_id = world.dealer.company_id
    tx.commit()
    mails = tx.scalar(sa.select(sa.func.count()).select_from(OutgoingMail))
    found = at_once(lambda: write(remind_of_expiry, actor=None, at=LAST_DAY, dealer_id=dealer_id), times=4)
    assert sorted(found) == [0, 0, 0, 3]
    assert tx.scalar(sa.select(sa.func.count()).select_from(ExpiryReminder)) == 3
    assert tx.scalar(sa.select(sa.func.count()).select_from(OutgoingMail)) == mails + 3


def test_a_reminder_that_breaks_off_is_made_by_the_next_worker(world, tx, monkeypatch):
    world.submit()
    tx.commit()
    before = read(everything)
    said = {"actor": None, "at": LAST_DAY, "dealer_id": world.dealer.company_id}

    def die(*_args, **_said):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("quotes.operations.reminders.tell_dealer", die)
        with pytest.raises(KeyboardInterrupt):
            write(remind_of_expiry, **said)
    assert read(everything) == before
    assert write(remind_of_expiry, **said) == 1


# links ------------------------------------------------------------------------------------------


def test_the_paths_of_mails_are_the_addresses_of_the_pages(app):
    with app.test_request_context():
        assert quote_path("Q-HARBOR-1", 2) == url_for("quotes.show_quote", ref="Q-HARBOR-1", revision=2)
        assert order_path("O-HARBOR-1") == url_for("quotes.show_order", ref="O-HARBOR-1")
        assert referral_path("R-HARBOR-1") == url_for("referral.show_referral", ref="R-HARBOR-1")


def test_no_link_of_any_mail_changes_anything_when_it_is_opened_twice(world, tx, client):
    """Mail scanners open every link: as nobody and, from a signed-in browser, as its recipient."""
    _, number = world.order()
    world.ship(number)
    world.take_back(number)
    decide(world, decline_revision, world.submit(), reason="No")
    decide(world, request_changes, world.submit(), reason="More")
    world.submit()
    remind(world, LAST_DAY)
    for person in (world.dealer, world.account):
        choose_mail(tx, actor=person, at=AT, wants_digest=True)
    tx.commit()
    people = {person.email: user_of(tx, person) for person in (world.dealer, world.account, world.program)}
    links = {
        (mail.recipient, path)
        for mail in tx.scalars(sa.select(OutgoingMail))
        for path in [mail.path, *re.findall(r"^/\S+$", mail.body, re.MULTILINE)]
        if path
    }
    assert len(links) >= 8
    before = read(everything)
    for recipient, path in sorted(links):
        stranger, reader = client.other(), client.other().sign_in(people[recipient])
        for _ in range(2):
            assert stranger.get(path, status=303).location.startswith("/sign-in?next=")
            assert reader.get(path).status == 200
    tx.rollback()
    assert read(everything) == before


def test_a_link_lands_on_its_page_after_the_sign_in(world, tx, client):
    path = quote_path(world.submit(), 1)
    approver = user_of(tx, world.dealer)
    approver.password_hash = make_password_hash(PASSWORD)
    tx.commit()
    client.get(client.get(path, status=303).location)
    landed = client.submit("Sign in", {"email": approver.email, "password": PASSWORD})
    assert landed.address == path
