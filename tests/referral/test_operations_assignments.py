"""The program helps one project on: to a day without a qualification, or with another account."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from quotes.operations.decisions import approve_revision, decline_revision, request_changes
from quotes.operations.orders import place_order
from quotes.operations.quotes import ServiceInput, save_draft, start_quote, start_revision
from quotes.operations.services import agree_services, counter_services
from quotes.operations.submissions import submit_revision
from quotes.queries.home import home_page
from quotes.queries.outlook import credit_outlook
from quotes.queries.quote_view import quote_view
from quotes.queries.reminders import reminders_due
from quotes.queries.unqualified_work import unqualified_page
from quotes.states import ServiceKind
from referral.clock import now
from referral.models import Continuation, Referral
from referral.operations.assignments import continue_referral, reassign_referral
from referral.operations.companies import end_qualification
from referral.operations.conflicts import choose_referral
from referral.operations.referrals import accept_referral
from referral.queries.companies import company_page
from referral.queries.referrals import referral_page
from referral.states import ReferralState
from tests.factories import AT, make_account, make_world, refused, user_of
from tests.quotes.test_operations_decisions import approving
from tests.quotes.test_operations_orders import ordering
from tests.quotes.test_operations_quotes import submitting
from tests.referral.test_operations_conflicts import deciding, mails_to, rivals
from tests.referral.test_operations_referrals import open_ref

YESTERDAY = date(2026, 5, 3)


def granting(world, ref, **overrides):
    said = {"actor": world.program, "at": AT, "ref": ref, "last_on": date(2026, 5, 10)}
    return said | {"reason": "Half of it is installed."} | overrides


def giving(world, ref, account, **overrides):
    said = {"actor": world.program, "at": AT, "ref": ref, "account_code": account.company_code}
    return said | {"reason": "They moved away."} | overrides


def end(world, last_on=YESTERDAY, at=AT):
    page = company_page(world.tx, code=world.account.company_code, at=AT)
    end_qualification(
        world.tx,
        actor=world.program,
        at=at,
        code=world.account.company_code,
        qualification_id=page.qualifications[0].id,
        valid_to=last_on,
        reason="Certificate lapsed.",
    )
    world.tx.flush()


def referral_of(world, quote_ref):
    number = world.tx.scalars(sa.select(Referral.number).order_by(Referral.number.desc()).limit(1)).one()
    return f"R-{world.dealer.company_code}-{number}"


def test_an_admin_continues_one_project_to_a_day_and_no_other(tx):
    world = make_world(tx)
    other, quote = world.draft(), world.draft()
    ref = referral_of(world, quote)
    end(world)
    refused(tx, "account_not_qualified", submit_revision, **submitting(world, quote))
    continue_referral(tx, **granting(world, ref))
    world.submit(quote)
    world.approve(quote)
    refused(tx, "account_not_qualified", submit_revision, **submitting(world, other))
    last = datetime(2026, 5, 11, 3, 59, 59, tzinfo=UTC)
    lights = world.line_ids(quote)[0]
    place_order(tx, **ordering(world, quote, at=last, quantities={lights: 1}, idempotency_key="last day"))
    too_late = ordering(world, quote, at=last + timedelta(seconds=1), idempotency_key="too late")
    refused(tx, "account_not_qualified", place_order, **too_late)
    for person in (world.dealer, world.account):
        assert "10 May 2026" in "".join(mails_to(world, person))


def test_what_was_granted_last_counts(tx):
    world = make_world(tx)
    ref = world.refer()
    end(world)
    continue_referral(tx, **granting(world, ref))
    continue_referral(tx, **granting(world, ref, at=AT + timedelta(hours=1), last_on=AT.date()))
    assert tx.scalar(sa.select(sa.func.count()).select_from(Continuation)) == 2
    late = {"actor": world.account, "at": AT + timedelta(days=1), "referral_ref": ref}
    refused(tx, "account_not_qualified", start_quote, **late)
    start_quote(tx, **late | {"at": AT + timedelta(hours=2)})


def test_the_same_grant_sent_twice_is_one(tx):
    world = make_world(tx)
    ref = world.refer()
    for _ in range(2):
        continue_referral(tx, **granting(world, ref))
        tx.flush()
    assert tx.scalar(sa.select(sa.func.count()).select_from(Continuation)) == 1
    assert "".join(mails_to(world, world.dealer)).count("goes on through 10 May 2026") == 1


def test_continue_referral_refuses(tx):
    world = make_world(tx)
    ref = world.refer()
    refused(tx, "reason_required", continue_referral, **granting(world, ref, reason=" "))
    refusal = refused(tx, "invalid_input", continue_referral, **granting(world, ref, last_on=YESTERDAY))
    assert refusal.field == "last_on"
    refused(tx, "not_found", continue_referral, **granting(world, "R-NOBODY-1"))
    for actor in (world.dealer, world.account):
        refused(tx, "forbidden", continue_referral, **granting(world, ref, actor=actor))
    reassign_referral(tx, **giving(world, ref, make_account(tx, world.program)))
    refused(tx, "referral_closed", continue_referral, **granting(world, ref))


@pytest.mark.parametrize("is_accepted", [False, True])
def test_an_admin_gives_a_project_to_another_account_which_answers_and_quotes_anew(tx, is_accepted):
    world = make_world(tx)
    ref = open_ref(world, client_shared=True)
    if is_accepted:
        accept_referral(tx, actor=world.account, at=AT, ref=ref)
    other = make_account(tx, world.program)
    new = reassign_referral(tx, **giving(world, ref, other))
    tx.flush()
    new_ref = f"R-{world.dealer.company_code}-{new.number}"
    old = referral_page(tx, viewer=world.account, at=AT, ref=ref)
    assert (old.state, old.answer_reason) == (ReferralState.CLOSED, "They moved away.")
    seen = referral_page(tx, viewer=other, at=AT, ref=new_ref)
    assert (seen.state, seen.project_name, seen.client_name) == (
        ReferralState.OPEN,
        "Boat House",
        "Edith Marsh",
    )
    accept_referral(tx, actor=other, at=AT, ref=new_ref)
    quote, _ = start_quote(tx, actor=other, at=AT, referral_ref=new_ref)
    assert quote.account_id == other.company_id
    assert other.company_name not in "".join(mails_to(world, world.account))
    assert other.company_name in mails_to(world, world.dealer)[-2]


def test_reassign_referral_refuses(tx):
    world = make_world(tx)
    first, parked, other = rivals(world)
    third = make_account(tx, world.program, qualified_to=YESTERDAY)
    refused(tx, "account_not_qualified", reassign_referral, **giving(world, first, third))
    refused(tx, "referral_conflict", reassign_referral, **giving(world, first, world.account))
    refused(tx, "referral_conflict", reassign_referral, **giving(world, first, other))
    refused(tx, "reason_required", reassign_referral, **giving(world, first, third, reason=""))
    refused(tx, "referral_closed", reassign_referral, **giving(world, parked, other))
    refused(tx, "forbidden", reassign_referral, **giving(world, first, other, actor=world.dealer))


def closed(world, quote):
    """Close the project of the last quote."""
    ref = referral_of(world, quote)
    reassign_referral(world.tx, **giving(world, ref, make_account(world.tx, world.program)))
    world.tx.flush()


def test_a_quote_of_a_closed_referral_is_neither_saved_nor_submitted(tx):
    world = make_world(tx)
    quote = world.draft()
    closed(world, quote)
    said = {"actor": world.account, "at": AT, "ref": quote, "revision_number": 1, "draft_version": None}
    content = {"account_number": "", "note": "", "lines": [], "services": [], "has_no_services": True}
    refused(tx, "referral_closed", save_draft, **said | content)
    refused(tx, "referral_closed", submit_revision, **submitting(world, quote))


def test_a_quote_of_a_closed_referral_is_neither_approved_nor_revised(tx):
    world = make_world(tx)
    quote = world.submit()
    said = approving(world, quote)
    closed(world, quote)
    refused(tx, "referral_closed", approve_revision, **said)
    refused(tx, "referral_closed", start_revision, actor=world.account, at=AT, ref=quote)


def test_nothing_is_said_about_a_revision_of_a_closed_referral_any_more(tx):
    world = make_world(tx)
    quote = world.submit()
    said = {"actor": world.dealer, "at": AT, "ref": quote, "revision_number": 1}
    digest = {"digest": world.digest(quote)}
    closed(world, quote)
    refused(tx, "referral_closed", decline_revision, **said, **digest, reason="Too dear.")
    refused(tx, "referral_closed", request_changes, **said, **digest, reason="Fewer lamps.")
    refused(tx, "referral_closed", agree_services, **said, offer_number=1)
    less = [ServiceInput(ServiceKind.INSTALL, "Installation", 80000)]
    refused(tx, "referral_closed", counter_services, **said, offer_number=1, services=less, note="")
    talk = quote_view(tx, viewer=world.dealer, at=AT, ref=quote).talk
    assert (talk.may_answer, talk.may_agree) == (False, False)


@pytest.mark.parametrize("is_approved", [False, True])
def test_a_closed_project_waits_for_nobody_and_promises_no_credit(tx, client, is_approved):
    world = make_world(tx)
    at = now()
    quote = world.submit(at=at) if not is_approved else world.approve(world.submit(at=at), at=at)
    last_days = at + timedelta(days=29)
    assert reminders_due(tx, at=last_days) == [world.dealer.company_id]
    assert credit_outlook(tx, day=at.date(), dealer_ids=[world.dealer.company_id])
    closed(world, quote)
    assert reminders_due(tx, at=last_days) == []
    outlook = credit_outlook(tx, day=at.date(), dealer_ids=[world.dealer.company_id])
    (found,) = outlook.values()
    assert (found.committed.credit_cents, found.forecast.credit_cents) == (0, 0)
    home = home_page(tx, viewer=world.dealer, at=at).dealer
    assert (home.waiting, home.approved) == ((), ())
    assert home_page(tx, viewer=world.account, at=at).account.is_idle
    for person in (world.dealer, world.account):
        page = client.sign_in(user_of(tx, person)).get(f"/quotes/{quote}")
        assert "This project is closed" in page.text
        assert "Review and decide" not in page.text
        assert "Enter the order" not in page.text
    client.get(f"/quotes/{quote}/revisions/1/order", status=409)


def test_an_order_of_a_closed_referral_stays_and_can_be_shipped_but_nothing_more_is_ordered(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, order = world.order(quote, quantities={lights: 2})
    closed(world, quote)
    refused(tx, "referral_closed", place_order, **ordering(world, quote, idempotency_key="more"))
    world.ship(order)
    world.take_back(order)


def test_a_choice_closes_the_quotes_of_the_first(tx):
    world = make_world(tx)
    first, parked, _ = rivals(world)
    accept_referral(tx, actor=world.account, at=AT, ref=first)
    _, quote = start_quote(tx, actor=world.account, at=AT, referral_ref=first)
    world.save(quote)
    choose_referral(tx, **deciding(world, parked, instead_of=first))
    refused(tx, "referral_closed", submit_revision, **submitting(world, quote))


def test_setting_the_end_of_a_qualification_back_only_flags_what_was_done_after_it(tx):
    world = make_world(tx)
    _, order = world.order()
    quote = world.submit()
    continued = world.submit()
    continue_referral(tx, **granting(world, referral_of(world, continued)))
    code = world.account.company_code
    assert unqualified_page(tx, code=code).submissions == ()
    tx.flush()
    end(world, date(2026, 4, 30))
    page = unqualified_page(tx, code=code)
    assert [row.ref for row in page.orders] == [order]
    assert {row.ref for row in page.submissions} == {quote, order.replace("O-", "Q-")}
    assert all(row.done_on == AT.date() for row in (*page.submissions, *page.orders))
    assert unqualified_page(tx, code=make_account(tx, world.program).company_code).orders == ()
    world.ship(order)
