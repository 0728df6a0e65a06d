"""Two accounts for one project: parking, choosing, expiry, and that neither learns of the other."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from referral.models import AuditEvent, Company, OutgoingMail, Referral
from referral.operations.conflicts import choose_referral, pass_over_referral
from referral.operations.referrals import accept_referral, open_referral, refuse_referral, withdraw_referral
from referral.operations.settings import change_setting
from referral.permissions import Role
from referral.queries.referral_history import referral_view
from referral.queries.referrals import referral_page, referrals_page
from referral.states import ReferralState
from tests.factories import AT, make_account, make_dealer, make_user, make_world, refused
from tests.referral.test_operations_referrals import open_ref, opening

LAST = date(2026, 6, 3)
"""The last day to answer what is opened at AT, 4 May: 30 days later."""
LAST_NIGHT = datetime(2026, 6, 4, 3, 59, 59, tzinfo=UTC)


def rivals(world):
    """Return (open referral, parked one, the second account) of one project."""
    other = make_account(world.tx, world.program)
    return open_ref(world), open_ref(world, account_code=other.company_code), other


def deciding(world, ref, **overrides):
    return {"actor": world.dealer, "at": AT, "ref": ref, "reason": "Nearer to the site."} | overrides


def state_of(world, ref, viewer=None, at=AT):
    world.tx.flush()
    return referral_page(world.tx, viewer=viewer or world.program, at=at, ref=ref).state


def mails_to(world, viewer):
    world.tx.flush()
    found = world.tx.scalars(sa.select(OutgoingMail).where(OutgoingMail.recipient == viewer.email))
    return [mail.subject + mail.body for mail in found.all()]


def test_a_second_account_s_claim_on_a_project_is_parked_and_nothing_leaks_between_the_two(tx):
    world = make_world(tx)
    first, parked, other = rivals(world)
    assert (state_of(world, first), state_of(world, parked)) == (ReferralState.OPEN, ReferralState.PARKED)
    assert mails_to(world, other) == []
    assert referrals_page(tx, viewer=other, at=AT).rows == ()
    assert [row.ref for row in referrals_page(tx, viewer=world.account, at=AT).rows] == [first]
    for ref in (first, parked):
        refused(tx, "not_found", accept_referral, actor=other, at=AT, ref=ref)
    seen = referral_view(tx, viewer=world.account, at=AT, ref=first)
    assert seen.rivals == ()
    assert [step.event for step in seen.history] == ["referral.opened"]
    both = [row.ref for row in referrals_page(tx, viewer=world.dealer, at=AT).rows]
    assert both == [parked, first]
    assert [rival.ref for rival in referral_view(tx, viewer=world.dealer, at=AT, ref=parked).rivals] == [
        first
    ]


def test_one_account_is_parked_for_a_project_once(tx):
    world = make_world(tx)
    _, _, other = rivals(world)
    again = opening(world, account_code=other.company_code)
    assert refused(tx, "referral_conflict", open_referral, **again).field == "project_name"
    refused(tx, "referral_conflict", open_referral, **opening(world))


@pytest.mark.parametrize("is_accepted", [False, True])
def test_choosing_the_parked_one_closes_the_first_and_asks_the_other(tx, is_accepted):
    world = make_world(tx)
    first, parked, other = rivals(world)
    if is_accepted:
        accept_referral(tx, actor=world.account, at=AT, ref=first)
    later = AT + timedelta(days=5)
    choose_referral(tx, **deciding(world, parked, at=later, instead_of=first))
    closed = referral_page(tx, viewer=world.account, at=later, ref=first)
    assert (closed.state, closed.answer_reason) == (ReferralState.CLOSED, "Nearer to the site.")
    chosen = referral_page(tx, viewer=other, at=later, ref=parked)
    assert (chosen.state, chosen.opened_at) == (ReferralState.OPEN, later)
    assert chosen.expires_on == LAST + timedelta(days=5)
    told = mails_to(world, world.account)[-1] + mails_to(world, other)[-1]
    assert "is closed" in told
    assert "refers a project to you" in told
    assert other.company_name not in "".join(mails_to(world, world.account))
    assert world.account.company_name not in "".join(mails_to(world, other))
    refused(tx, "referral_closed", accept_referral, actor=world.account, at=later, ref=first)
    accept_referral(tx, actor=other, at=later, ref=parked)


def test_the_history_tells_the_dealer_everything_and_each_account_only_its_own(tx):
    world = make_world(tx)
    first, parked, other = rivals(world)
    choose_referral(tx, **deciding(world, parked, actor=world.program, instead_of=first))
    tx.flush()
    full = referral_view(tx, viewer=world.dealer, at=AT, ref=parked).history
    assert [step.event for step in full] == ["referral.parked", "referral.chosen"]
    assert (full[1].reason, full[1].other_ref, full[1].who) == ("Nearer to the site.", first, "the program")
    (own,) = referral_view(tx, viewer=other, at=AT, ref=parked).history
    assert (own.event, own.reason, own.other_ref, own.who) == ("referral.chosen", "", "", "")
    theirs = referral_view(tx, viewer=world.account, at=AT, ref=first).history
    assert [(step.event, step.reason, step.other_ref) for step in theirs] == [
        ("referral.opened", "", ""),
        ("referral.closed", "Nearer to the site.", ""),
    ]


def test_passing_over_keeps_the_first_and_the_other_never_learns_of_it(tx):
    world = make_world(tx)
    first, parked, other = rivals(world)
    pass_over_referral(tx, **deciding(world, parked))
    assert (state_of(world, first), state_of(world, parked)) == (ReferralState.OPEN, ReferralState.CLOSED)
    assert mails_to(world, other) == []
    refused(tx, "not_found", accept_referral, actor=other, at=AT, ref=parked)
    refused(tx, "referral_closed", choose_referral, **deciding(world, parked))
    refused(tx, "referral_closed", pass_over_referral, **deciding(world, parked))


def test_choosing_against_another_referral_than_the_one_that_was_seen_is_refused(tx):
    world = make_world(tx)
    first, second, _ = rivals(world)
    third = open_ref(world, account_code=make_account(tx, world.program).company_code)
    choose_referral(tx, **deciding(world, second, instead_of=first))
    refused(tx, "referral_closed", choose_referral, **deciding(world, third, instead_of=first))
    choose_referral(tx, **deciding(world, third, instead_of=second))
    assert state_of(world, second) is ReferralState.CLOSED


def test_a_parked_referral_waits_on_where_the_first_was_refused(tx):
    world = make_world(tx)
    first, parked, _ = rivals(world)
    refuse_referral(tx, actor=world.account, at=AT, ref=first, reason="No crew.")
    choose_referral(tx, **deciding(world, parked, instead_of=first))
    assert state_of(world, parked) is ReferralState.OPEN
    assert state_of(world, first) is ReferralState.REFUSED


@pytest.mark.parametrize("operation", [choose_referral, pass_over_referral])
def test_who_may_choose_between_two_accounts(tx, operation):
    world = make_world(tx)
    first, parked, other = rivals(world)
    refused(tx, "reason_required", operation, **deciding(world, parked, reason=" "))
    refused(tx, "referral_closed", operation, **deciding(world, first))
    for stranger, code in ((other, "forbidden"), (make_dealer(tx, world.program), "not_found")):
        refused(tx, code, operation, **deciding(world, parked, actor=stranger))
    reader = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    refused(tx, "forbidden", operation, **deciding(world, parked, actor=reader))
    operation(tx, **deciding(world, parked, actor=world.program))
    assert "The program" in mails_to(world, world.dealer)[-1]


def test_an_account_that_lost_its_qualification_cannot_be_chosen(tx):
    world = make_world(tx)
    first = open_ref(world)
    other = make_account(tx, world.program, qualified_to=date(2026, 5, 4))
    parked = open_ref(world, account_code=other.company_code)
    late = deciding(world, parked, at=AT + timedelta(days=1), instead_of=first)
    refused(tx, "account_not_qualified", choose_referral, **late)


def test_a_parked_referral_can_be_withdrawn_without_a_word_to_the_account(tx):
    world = make_world(tx)
    _, parked, other = rivals(world)
    withdraw_referral(tx, actor=world.dealer, at=AT, ref=parked, reason="A mistake.")
    assert mails_to(world, other) == []
    assert referrals_page(tx, viewer=other, at=AT).rows == ()


def test_a_referral_can_be_answered_through_its_last_day_and_no_longer(tx):
    world = make_world(tx)
    first, second = open_ref(world), open_ref(world, project_name="Barn")
    late = LAST_NIGHT + timedelta(seconds=1)
    assert state_of(world, first, at=LAST_NIGHT) is ReferralState.OPEN
    assert state_of(world, first, at=late) is ReferralState.EXPIRED
    assert referral_page(tx, viewer=world.account, at=LAST_NIGHT, ref=first).days_left == 0
    refusal = refused(tx, "referral_closed", accept_referral, actor=world.account, at=late, ref=first)
    assert "expired" in refusal.message
    said = {"at": late, "ref": first, "reason": "Late."}
    refused(tx, "referral_closed", refuse_referral, actor=world.account, **said)
    refused(tx, "referral_closed", withdraw_referral, actor=world.dealer, **said)
    accept_referral(tx, actor=world.account, at=LAST_NIGHT, ref=second)
    assert state_of(world, second, at=late) is ReferralState.ACCEPTED


def test_the_days_to_answer_are_a_setting_pinned_when_the_referral_is_opened(tx):
    world = make_world(tx)
    ref = open_ref(world)
    change_setting(
        tx,
        actor=world.program,
        at=AT,
        key="referral_valid_days",
        value="5",
        valid_from=date(2026, 1, 1),
        valid_to=None,
        reason="Faster.",
        source="Board",
    )
    second = open_ref(world, project_name="Barn")
    days = [referral_page(tx, viewer=world.dealer, at=AT, ref=each).expires_on for each in (ref, second)]
    assert days == [LAST, date(2026, 5, 9)]


@pytest.mark.parametrize("is_same", [True, False])
def test_an_expired_referral_gives_way_when_its_project_is_referred_again(tx, is_same):
    world = make_world(tx)
    first = open_ref(world)
    account = world.account if is_same else make_account(tx, world.program)
    late = LAST_NIGHT + timedelta(seconds=1)
    again = open_ref(world, at=late, account_code=account.company_code)
    assert state_of(world, again, at=late) is ReferralState.OPEN
    stored = tx.scalars(sa.select(Referral.state).where(Referral.number == 1)).one()
    assert stored is ReferralState.EXPIRED
    assert (
        tx.scalars(sa.select(AuditEvent.subject).where(AuditEvent.event == "referral.expired")).one() == first
    )
    seen = referral_view(tx, viewer=world.account, at=late, ref=first)
    assert "referral.expired" not in {step.event for step in seen.history}


def test_choosing_where_the_first_expired_ends_it_as_expired(tx):
    world = make_world(tx)
    first, parked, _ = rivals(world)
    late = LAST_NIGHT + timedelta(seconds=1)
    choose_referral(tx, **deciding(world, parked, at=late, instead_of=first))
    stored = tx.scalars(sa.select(Referral.state).where(Referral.number == 1)).one()
    assert stored is ReferralState.EXPIRED
    assert state_of(world, parked, at=late) is ReferralState.OPEN


def test_the_list_is_narrowed_to_states_as_they_stand_and_by_words_and_paged_by_key(tx):
    world = make_world(tx)
    _, parked, _ = rivals(world)
    old = open_ref(world, project_name="Old Mill", at=AT - timedelta(days=60))
    shown = {"viewer": world.dealer, "at": AT}

    def refs(**said):
        return [row.ref for row in referrals_page(tx, **shown | said).rows]

    assert old in refs(state=ReferralState.EXPIRED)
    assert old not in refs(state=ReferralState.OPEN)
    assert refs(state=ReferralState.PARKED) == [parked]
    assert refs(words="old MILL") == [old]
    assert refs(words="nothing") == []
    first = referrals_page(tx, limit=2, **shown)
    second = referrals_page(tx, limit=2, after=first.after, **shown)
    assert len({row.ref for row in (*first.rows, *second.rows)}) == 3
    assert second.after is None
