"""An approver lends the right to decide to a dated delegate of the same company (program rules, section 1)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from quotes.models.quotes import Approval, Revision
from quotes.operations.decisions import Evidence, approve_revision, decline_revision, request_changes
from quotes.operations.services import agree_services, counter_services
from quotes.queries.quotes import quote_page
from quotes.rules.content import ATTESTATIONS
from quotes.states import RevisionState
from referral.clock import now
from referral.db import read
from referral.models import AuditEvent, Company, Delegation, OutgoingMail, UserRole
from referral.operations.delegations import end_delegation, lend_decision
from referral.operations.people import change_user_access
from referral.permissions import Permission, Role
from referral.queries.delegations import delegates_on
from referral.queries.people import viewer_of
from referral.queries.settings import today
from tests.factories import AT, make_dealer, make_user, make_world, refused, user_of
from tests.quotes.test_services import agreeing, countering
from tests.tokens import token_of

FIRST, LAST = date(2026, 5, 4), date(2026, 5, 8)
LAST_SECOND = datetime(2026, 5, 9, 3, 59, 59, tzinfo=UTC)
"""The last second of the last day in New York."""
MIDNIGHT = datetime(2026, 5, 9, 4, 0, tzinfo=UTC)


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def colleague(tx, world):
    return make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)


@pytest.fixture
def admin(tx, world):
    return make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_ADMIN)


def approving(world, ref, **overrides):
    said = {"actor": world.dealer, "at": AT, "ref": ref, "revision_number": 1, "digest": world.digest(ref)}
    typed = {"typed_account_number": world.number, "typed_name": world.dealer.name}
    evidence = {"attested": frozenset(ATTESTATIONS), "evidence": Evidence("127.0.0.1", "test", "test")}
    return said | typed | evidence | overrides


def deciding(world, ref, **overrides):
    said = {"actor": world.dealer, "at": AT, "ref": ref, "revision_number": 1, "digest": world.digest(ref)}
    return said | {"reason": "Too dear."} | overrides


def lending(world, colleague, **overrides):
    said = {"actor": world.dealer, "at": AT, "approver_id": world.dealer.user_id}
    return said | {"delegate_id": colleague.user_id, "first_on": FIRST, "last_on": LAST} | overrides


def lend(world, colleague, **overrides):
    """The delegation, and the colleague as the viewer of an instant."""
    made = lend_decision(world.tx, **lending(world, colleague, **overrides))
    world.tx.flush()
    return made


def at_instant(tx, colleague, at):
    return viewer_of(tx, colleague.user_id, at=at)


# who decides when -------------------------------------------------------------------------------


def test_a_delegate_decides_from_the_first_through_the_last_day_and_no_longer(tx, world, colleague):
    lend(world, colleague, first_on=date(2026, 5, 5))
    assert at_instant(tx, colleague, AT).lending is None
    assert not at_instant(tx, colleague, AT).may(Permission.QUOTE_DECIDE)
    for at in (datetime(2026, 5, 5, 4, 0, tzinfo=UTC), LAST_SECOND):
        assert at_instant(tx, colleague, at).may(Permission.QUOTE_DECIDE)
        assert at_instant(tx, colleague, at).decides_for.approver_name == world.dealer.name
    over = at_instant(tx, colleague, MIDNIGHT)
    assert (over.lending.is_over, over.may(Permission.QUOTE_DECIDE)) == (True, False)
    assert over.why_not(Permission.QUOTE_DECIDE) == "delegation_expired"


def test_an_approval_by_a_delegate_names_both(tx, world, colleague):
    lend(world, colleague)
    ref = world.submit()
    delegate = at_instant(tx, colleague, AT)
    said = approving(world, ref, actor=delegate)
    refused(tx, "typed_name_mismatch", approve_revision, **said)
    approve_revision(tx, **said | {"typed_name": colleague.name})
    approval = tx.scalars(sa.select(Approval)).one()
    assert (approval.approved_by, approval.on_behalf_of) == (colleague.user_id, world.dealer.user_id)
    page = quote_page(tx, viewer=world.account, at=AT, ref=ref)
    assert (page.decided_by, page.on_behalf_of) == (colleague.name, world.dealer.name)
    details = tx.scalars(sa.select(AuditEvent.details).where(AuditEvent.event == "revision.approved")).one()
    assert details["on_behalf_of"] == str(world.dealer.user_id)


def test_an_approver_s_own_approval_names_nobody_else(tx, world, colleague):
    lend(world, colleague)
    assert world.approval(world.submit()).on_behalf_of is None


def test_every_decision_works_for_a_delegate(tx, world, colleague):
    lend(world, colleague)
    actor = at_instant(tx, colleague, AT)
    request_changes(tx, **deciding(world, world.submit(), actor=actor))
    decline_revision(tx, **deciding(world, world.submit(), actor=actor))
    counter_services(tx, **countering(world, world.submit(), actor=actor))
    agree_services(tx, **agreeing(world, world.submit(), actor=actor))


def verbs(world, ref):
    return (
        (approve_revision, approving(world, ref)),
        (request_changes, deciding(world, ref)),
        (decline_revision, deciding(world, ref)),
        (counter_services, countering(world, ref)),
        (agree_services, agreeing(world, ref)),
    )


def test_after_the_last_day_every_decision_is_refused_as_expired(tx, world, colleague):
    lend(world, colleague)
    ref = world.submit()
    over = at_instant(tx, colleague, MIDNIGHT)
    for verb, said in verbs(world, ref):
        refused(tx, "delegation_expired", verb, **said | {"actor": over, "at": MIDNIGHT})


def test_a_last_day_that_ends_between_the_door_and_the_decision_is_seen(tx, world, colleague):
    lend(world, colleague)
    ref = world.submit()
    at_the_door = at_instant(tx, colleague, LAST_SECOND)
    for verb, said in verbs(world, ref):
        refused(tx, "delegation_expired", verb, **said | {"actor": at_the_door, "at": MIDNIGHT})
    assert tx.scalars(sa.select(Revision.state)).one() is RevisionState.SUBMITTED


def test_a_lending_ended_meanwhile_is_seen(tx, world, colleague):
    made = lend(world, colleague)
    ref = world.submit()
    delegate = at_instant(tx, colleague, AT)
    end_delegation(tx, actor=world.dealer, at=AT, delegation_id=made.id)
    for verb, said in verbs(world, ref):
        refused(tx, "delegation_expired", verb, **said | {"actor": delegate})


def test_a_request_from_before_the_ending_that_is_decided_after_it_comes_too_late(tx, world, colleague):
    """The clocks of two servers differ, and a request waits for its turn: what was ended decides nothing."""
    made = lend(world, colleague)
    ref = world.submit()
    delegate = at_instant(tx, colleague, AT)
    end_delegation(tx, actor=world.dealer, at=AT + timedelta(seconds=5), delegation_id=made.id)
    for verb, said in verbs(world, ref):
        refused(tx, "delegation_expired", verb, **said | {"actor": delegate, "at": AT})


def test_a_lending_ends_with_the_role_and_with_the_access_of_who_lent_it(tx, world, colleague, admin):
    lend(world, colleague)
    said = {"actor": admin, "at": AT, "user_id": world.dealer.user_id}
    change_user_access(tx, **said, roles=frozenset({Role.DEALER_VIEWER}), is_active=True)
    tx.flush()
    assert at_instant(tx, colleague, AT).lending.is_over
    change_user_access(tx, **said, roles=frozenset({Role.DEALER_APPROVER}), is_active=True)
    tx.flush()
    assert not at_instant(tx, colleague, AT).lending.is_over
    change_user_access(tx, **said, roles=frozenset({Role.DEALER_APPROVER}), is_active=False)
    tx.flush()
    assert at_instant(tx, colleague, AT).lending.is_over


def test_of_several_lenders_the_one_whose_last_day_is_latest_counts(tx, world, colleague, admin):
    other = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_APPROVER)
    lend(world, colleague)
    later = lend(world, colleague, actor=other, approver_id=other.user_id, last_on=date(2026, 5, 9))
    assert at_instant(tx, colleague, AT).decides_for.approver_name == other.name
    end_delegation(tx, actor=admin, at=AT, delegation_id=later.id)
    tx.flush()
    assert at_instant(tx, colleague, AT).decides_for.approver_name == world.dealer.name


def test_delegates_are_told_what_approvers_are_told_and_named_among_who_decides(tx, world, colleague):
    lend(world, colleague)
    ref = world.submit()
    tx.flush()
    waits = sa.select(OutgoingMail.recipient).where(OutgoingMail.subject.contains("waits for your approval"))
    assert set(tx.scalars(waits)) == {world.dealer.email, colleague.email}
    page = quote_page(tx, viewer=world.dealer, at=AT, ref=ref)
    assert page.deciders == (world.dealer.name, f"{colleague.name} (for {world.dealer.name})")
    company = {"company_id": world.dealer.company_id}
    assert [each.email for each in delegates_on(tx, day=LAST, **company)] == [colleague.email]
    assert delegates_on(tx, day=date(2026, 5, 9), **company) == ()


# lending and ending -----------------------------------------------------------------------------


def test_lending_twice_is_one_lending_and_both_are_told(tx, world, colleague, admin):
    first = lend(world, colleague, actor=admin)
    assert lend(world, colleague) is first
    assert tx.scalar(sa.select(sa.func.count()).select_from(Delegation)) == 1
    told = tx.scalars(sa.select(OutgoingMail.recipient).where(OutgoingMail.subject.contains("decides for")))
    assert set(told) == {world.dealer.email, colleague.email}
    events = tx.scalars(sa.select(AuditEvent.event).where(AuditEvent.event.like("delegation.%")))
    assert list(events) == ["delegation.lent"]


@pytest.mark.parametrize(
    ("code", "overrides"),
    [
        ("invalid_input", {"first_on": date(2026, 5, 3)}),
        ("invalid_input", {"last_on": date(2026, 5, 3)}),
        ("not_found", {"approver_id": uuid4()}),
        ("invalid_input", {"delegate_id": uuid4()}),
    ],
)
def test_a_lending_that_cannot_be_is_refused(tx, world, colleague, code, overrides):
    refused(tx, code, lend_decision, **lending(world, colleague, **overrides))


def test_a_right_goes_to_a_colleague_of_the_same_company_who_has_none(tx, world, colleague, admin):
    company = tx.get_one(Company, world.dealer.company_id)
    approver = make_user(tx, company, Role.DEALER_APPROVER)
    elsewhere = make_dealer(tx, world.program)
    viewer_elsewhere = make_user(tx, tx.get_one(Company, elsewhere.company_id), Role.DEALER_VIEWER)
    for person in (world.dealer, approver, viewer_elsewhere, world.account, world.program):
        refused(tx, "invalid_input", lend_decision, **lending(world, person))
    refused(tx, "not_found", lend_decision, **lending(world, colleague, approver_id=elsewhere.user_id))
    refused(tx, "not_found", lend_decision, **lending(world, colleague, approver_id=colleague.user_id))


def test_who_lends_is_the_approver_or_the_company_s_admin_and_nobody_lends_to_themselves(
    tx, world, colleague, admin
):
    other = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_APPROVER)
    for person in (colleague, world.account, world.program):
        refused(tx, "forbidden", lend_decision, **lending(world, colleague, actor=person))
    refused(tx, "forbidden", lend_decision, **lending(world, colleague, actor=other))
    refused(tx, "invalid_input", lend_decision, **lending(world, admin, actor=admin))
    lend(world, colleague, actor=admin)


def test_a_delegate_lends_nothing_on(tx, world, colleague):
    lend(world, colleague)
    delegate = at_instant(tx, colleague, AT)
    refused(tx, "forbidden", lend_decision, **lending(world, colleague, actor=delegate))


def test_ending_is_for_who_lent_or_the_admin_once_and_before_it_is_over(tx, world, colleague, admin):
    made = lend(world, colleague)
    other = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_APPROVER)
    said = {"at": AT, "delegation_id": made.id}
    refused(tx, "forbidden", end_delegation, actor=other, **said)
    refused(tx, "forbidden", end_delegation, actor=at_instant(tx, colleague, AT), **said)
    refused(tx, "not_found", end_delegation, actor=make_dealer(tx, world.program), **said)
    refused(tx, "not_pending", end_delegation, actor=world.dealer, **said | {"at": MIDNIGHT})
    ended = end_delegation(tx, actor=admin, **said)
    assert (ended.ended_by, ended.ended_at) == (admin.user_id, AT)
    again = end_delegation(tx, actor=world.dealer, at=LAST_SECOND, delegation_id=made.id)
    assert (again.ended_by, again.ended_at) == (admin.user_id, AT)


# pages and API ----------------------------------------------------------------------------------


def test_an_approver_lends_on_the_page_the_delegate_approves_and_the_right_comes_back(
    client, tx, world, colleague
):
    ref, waiting = world.submit(at=now()), world.submit(at=now())
    day = read(today, now())
    client.sign_in(user_of(tx, world.dealer)).get("/")
    client.click("Lend your right to decide")
    client.click("Lend the right to decide")
    client.submit("Lend the right", {"delegate_id": str(colleague.user_id), "last_on": day.isoformat()})
    assert colleague.name in client.get("/delegations").text
    client.sign_in(user_of(tx, colleague))
    page = client.get(f"/quotes/{ref}")
    assert f"You decide on behalf of {world.dealer.name}" in page.text
    ticks = dict.fromkeys(ATTESTATIONS, "y")
    typed = {"typed_account_number": world.number, "typed_name": colleague.name}
    client.submit("Approve revision 1", ticks | typed)
    assert f"{colleague.name} on behalf of {world.dealer.name}" in client.get(f"/quotes/{ref}").text
    client.get(f"/quotes/{waiting}")
    client.other().sign_in(user_of(tx, world.dealer)).get("/delegations")
    made = tx.scalars(sa.select(Delegation)).one()
    end_delegation(tx, actor=world.dealer, at=now(), delegation_id=made.id)
    tx.commit()
    page = client.submit("Approve revision 1", ticks | typed, status=403)
    assert "lent to you until a day that is over" in page.text
    assert tx.scalar(sa.select(sa.func.count()).select_from(Approval)) == 1
    assert "is over" in client.get("/").text


def test_the_right_is_ended_on_the_page(client, tx, world, colleague):
    day = read(today, now())
    lend(world, colleague, at=now(), first_on=day, last_on=day)
    client.sign_in(user_of(tx, world.dealer)).get("/delegations")
    client.submit(f"End now the right of {colleague.name}")
    assert "Ended early" in client.get("/delegations").text
    assert tx.scalars(sa.select(Delegation.ended_by)).one() == world.dealer.user_id


def test_a_delegate_decides_through_the_api_too_until_the_right_is_over(client, tx, world, colleague):
    day = read(today, now())
    made = lend(world, colleague, at=now(), first_on=day, last_on=day)
    first, second = world.submit(at=now()), world.submit(at=now())
    token = token_of(tx, colleague)
    tx.commit()

    def body(ref):
        ticks = dict.fromkeys(("suitable", "reviewed", "complete", "account_number"), True)
        said = {"digest": world.digest(ref), "attestations": ticks, "services_offer": 1}
        return said | {"account_number": world.number, "name": colleague.name}

    path = "/api/v1/quotes/{}/revisions/1/approve"
    client.api("POST", path.format(first), body(first), token=token, status=200)
    read_back = client.api("GET", f"/api/v1/quotes/{first}/revisions/1", None, token=token, status=200).json
    assert read_back["approved_on_behalf_of"] == world.dealer.name
    end_delegation(tx, actor=world.dealer, at=now(), delegation_id=made.id)
    tx.commit()
    answer = client.api("POST", path.format(second), body(second), token=token, status=403).json
    assert answer["code"] == "delegation_expired"
    assert tx.scalar(sa.select(sa.func.count()).select_from(Approval)) == 1


def test_who_got_the_role_meanwhile_is_no_delegate_any_more(tx, world, colleague):
    lend(world, colleague)
    tx.add(UserRole(user_id=colleague.user_id, role=Role.DEALER_APPROVER))
    tx.flush()
    assert at_instant(tx, colleague, AT).lending is None
    assert delegates_on(tx, company_id=world.dealer.company_id, day=LAST) == ()
