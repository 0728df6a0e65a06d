"""A referral from opening to answer (program rules, section 3)."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from referral.models import AuditEvent, Company, OutgoingMail, Referral
from referral.operations.companies import end_qualification
from referral.operations.referrals import accept_referral, open_referral, refuse_referral, withdraw_referral
from referral.operations.settings import change_setting
from referral.permissions import CompanyKind, Role
from referral.queries.accounts import qualified_accounts
from referral.queries.companies import company_page
from referral.queries.referrals import referral_page
from referral.rules import SUITABILITY_VERSION
from referral.states import ReferralState
from tests.factories import AT, SINCE, make_account, make_company, make_dealer, make_user, make_world, refused

NOON = datetime(2026, 5, 31, 16, 0, tzinfo=UTC)


def opening(world, **overrides):
    """Return what a dealer says on opening a referral."""
    said = {
        "actor": world.dealer,
        "at": AT,
        "account_code": world.account.company_code,
        "project_name": "Boat House",
        "place": "Camden, ME",
        "spaces": "Kitchen, gallery",
        "wanted_on": date(2026, 9, 1),
        "client_name": "Edith Marsh",
        "client_contact": "marsh@client.example",
        "client_shared": False,
        "is_suitable": True,
    }
    return said | overrides


def open_ref(world, **overrides):
    """Open a referral; return its number."""
    referral = open_referral(world.tx, **opening(world, **overrides))
    world.tx.flush()
    return f"R-{world.dealer.company_code}-{referral.number}"


def test_opening_a_referral_keeps_who_attested_which_words_and_tells_the_account(tx):
    world = make_world(tx)
    ref = open_ref(world)
    referral = tx.scalars(sa.select(Referral)).one()
    assert (referral.state, referral.number) == (ReferralState.OPEN, 1)
    assert (referral.attested_by, referral.attestation_version) == (world.dealer.user_id, SUITABILITY_VERSION)
    mail = tx.scalars(sa.select(OutgoingMail)).one()
    assert mail.recipient == world.account.email
    assert ref in mail.body
    assert "Marsh" not in mail.body
    event = tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "referral.opened")).one()
    assert (event.company_id, event.actor_id, event.subject) == (
        world.dealer.company_id,
        world.dealer.user_id,
        ref,
    )


def test_referrals_are_numbered_per_dealer_without_gaps(tx):
    world = make_world(tx)
    other = make_dealer(tx, world.program)
    assert [open_ref(world, project_name=name) for name in "ABC"] == [
        f"R-{world.dealer.company_code}-{number}" for number in (1, 2, 3)
    ]
    refused(tx, "referral_conflict", open_referral, **opening(world, project_name="a"))
    assert open_ref(world, project_name="D").endswith("-4")
    assert open_referral(tx, **opening(world, actor=other)).number == 1


def test_a_referral_without_the_attestation_of_suitability_is_refused(tx):
    world = make_world(tx)
    refusal = refused(tx, "attestation_missing", open_referral, **opening(world, is_suitable=False))
    assert refusal.field == "is_suitable"


@pytest.mark.parametrize(
    "role", [Role.DEALER_VIEWER, Role.ACCOUNT_BUILDER, Role.PROGRAM_ADMIN, Role.PROGRAM_AUDITOR]
)
def test_only_an_approver_or_admin_of_a_dealer_opens_a_referral(tx, role):
    world = make_world(tx)
    company = make_company(tx, role.company_kind)
    refused(tx, "forbidden", open_referral, **opening(world, actor=make_user(tx, company, role)))


@pytest.mark.parametrize("code", ["NOBODY", "", "dealer's own", "program"])
def test_a_company_that_is_no_qualified_account_cannot_be_chosen(tx, code):
    world = make_world(tx)
    codes = {
        "dealer's own": make_dealer(tx, world.program).company_code,
        "program": world.program.company_code,
    }
    refused(tx, "account_not_qualified", open_referral, **opening(world, account_code=codes.get(code, code)))


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_first_and_last_day_of_a_qualification_are_included(tx, shift):
    world = make_world(tx)
    account = make_account(tx, world.program, qualified_to=date(2026, 5, 31))
    first = datetime(SINCE.year, SINCE.month, SINCE.day, 17, tzinfo=UTC)
    for at, is_inside in (
        (NOON + timedelta(days=shift), shift <= 0),
        (first + timedelta(days=shift), shift >= 0),
    ):
        said = opening(world, account_code=account.company_code, at=at, project_name=str(at))
        if at < first:
            refused(tx, "account_inactive", open_referral, **said)
        elif is_inside:
            assert open_referral(tx, **said).account_id == account.company_id
        else:
            refused(tx, "account_not_qualified", open_referral, **said)


def test_the_last_day_of_a_qualification_ends_at_midnight_of_the_programs_time_zone(tx):
    world = make_world(tx)
    account = make_account(tx, world.program, qualified_to=date(2026, 5, 31))
    said = opening(world, account_code=account.company_code)
    open_referral(tx, **said | {"at": datetime(2026, 6, 1, 3, 59, 59, tzinfo=UTC)})
    late = said | {"at": datetime(2026, 6, 1, 4, 0, tzinfo=UTC), "project_name": "Barn"}
    refused(tx, "account_not_qualified", open_referral, **late)


def test_only_accounts_qualified_today_are_offered_those_of_the_dealers_region_first(tx):
    world = make_world(tx)
    far = make_account(tx, world.program, region="AK")
    make_account(tx, world.program, qualified_to=date(2026, 5, 3))
    offered = qualified_accounts(tx, viewer=world.dealer, at=AT)
    assert [choice.code for choice in offered] == [world.account.company_code, far.company_code]


def test_a_dealer_that_is_not_active_yet_opens_no_referral(tx):
    world = make_world(tx)
    late = make_dealer(tx, world.program, active_from=date(2026, 5, 5))
    refused(tx, "account_inactive", open_referral, **opening(world, actor=late))


def test_dealer_and_account_are_different_companies_unless_the_setting_is_on(tx):
    world = make_world(tx)
    account = make_account(tx, world.program, kinds=frozenset({CompanyKind.DEALER, CompanyKind.ACCOUNT}))
    own = make_user(tx, tx.get_one(Company, account.company_id), Role.DEALER_APPROVER)
    said = opening(world, actor=own, account_code=account.company_code)
    refused(tx, "same_company", open_referral, **said)
    change_setting(
        tx,
        actor=world.program,
        at=AT,
        key="same_company_allowed",
        value="on",
        valid_from=date(2026, 1, 1),
        valid_to=None,
        reason="A trial.",
        source="Board",
    )
    assert open_referral(tx, **said).dealer_id == account.company_id


@pytest.mark.parametrize(
    "name", ["Boat House", " boat  house", "BOAT HOUSE", "Boat\u00a0House", "Ｂoat House"]
)
def test_one_open_referral_per_dealer_and_project_however_it_is_typed(tx, name):
    world = make_world(tx)
    open_ref(world)
    refusal = refused(
        tx, "referral_conflict", open_referral, **opening(world, project_name=name, place="CAMDEN,  me")
    )
    assert refusal.field == "project_name"


def test_the_same_project_may_be_referred_by_another_dealer_and_a_namesake_elsewhere_by_the_same(tx):
    world = make_world(tx)
    open_ref(world)
    open_ref(world, place="Camden, NJ")
    referral = open_referral(tx, **opening(world, actor=make_dealer(tx, world.program)))
    assert referral.state is ReferralState.OPEN


@pytest.mark.parametrize("is_shared", [True, False])
def test_the_account_sees_the_clients_contact_only_where_the_dealer_allows(tx, is_shared):
    world = make_world(tx)
    ref = open_ref(world, client_shared=is_shared)
    seen = referral_page(tx, viewer=world.account, at=AT, ref=ref)
    assert (seen.client_name, seen.client_contact) == (
        ("Edith Marsh", "marsh@client.example") if is_shared else ("", "")
    )
    assert referral_page(tx, viewer=world.dealer, at=AT, ref=ref).client_name == "Edith Marsh"


def test_accepting_and_refusing_keep_who_answered_when_and_why_and_tell_the_dealer(tx):
    world = make_world(tx)
    first, second = open_ref(world), open_ref(world, project_name="Barn")
    accept_referral(tx, actor=world.account, at=AT, ref=first)
    refuse_referral(tx, actor=world.account, at=AT, ref=second, reason="  No crew until fall. ")
    accepted, turned_down = tx.scalars(sa.select(Referral).order_by(Referral.number))
    assert (accepted.state, accepted.answered_by, accepted.answered_at) == (
        ReferralState.ACCEPTED,
        world.account.user_id,
        AT,
    )
    assert (turned_down.state, turned_down.answer_reason) == (ReferralState.REFUSED, "No crew until fall.")
    mails = tx.scalars(sa.select(OutgoingMail).where(OutgoingMail.recipient == world.dealer.email)).all()
    assert len(mails) == 2


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_refusing_and_withdrawing_need_a_reason(tx, reason):
    world = make_world(tx)
    ref = open_ref(world)
    refused(tx, "reason_required", refuse_referral, actor=world.account, at=AT, ref=ref, reason=reason)
    refused(tx, "reason_required", withdraw_referral, actor=world.dealer, at=AT, ref=ref, reason=reason)


def test_an_account_that_lost_its_qualification_cannot_accept(tx):
    world = make_world(tx)
    ref = open_ref(world)
    page = company_page(tx, code=world.account.company_code, at=AT)
    end_qualification(
        tx,
        actor=world.program,
        at=AT,
        code=world.account.company_code,
        qualification_id=page.qualifications[0].id,
        valid_to=date(2026, 5, 3),
        reason="Moved away.",
    )
    refused(tx, "account_not_qualified", accept_referral, actor=world.account, at=AT, ref=ref)
    refuse_referral(tx, actor=world.account, at=AT, ref=ref, reason="No longer qualified.")


@pytest.mark.parametrize(
    "ref", ["R-NOBODY-1", "R-{code}-9", "Q-{code}-1", "R-{code}-0", "💡", "", "R-{code}-01"]
)
def test_a_number_that_names_no_referral_is_not_found(tx, ref):
    world = make_world(tx)
    open_ref(world)
    said = {"actor": world.account, "at": AT, "ref": ref.format(code=world.dealer.company_code)}
    refused(tx, "not_found", accept_referral, **said)


def test_another_companys_referral_does_not_exist(tx):
    world = make_world(tx)
    ref = open_ref(world)
    other_dealer, other_account = make_dealer(tx, world.program), make_account(tx, world.program)
    refused(tx, "not_found", accept_referral, actor=other_account, at=AT, ref=ref)
    refused(tx, "not_found", refuse_referral, actor=other_account, at=AT, ref=ref, reason="No.")
    refused(tx, "not_found", withdraw_referral, actor=other_dealer, at=AT, ref=ref, reason="No.")


@pytest.mark.parametrize("role", [Role.ACCOUNT_VIEWER, Role.ACCOUNT_INSTALLER])
def test_who_only_reads_for_an_account_answers_no_referral(tx, role):
    world = make_world(tx)
    ref = open_ref(world)
    company = company_page(tx, code=world.account.company_code, at=AT).company
    reader = make_user(tx, company, role)
    refused(tx, "forbidden", accept_referral, actor=reader, at=AT, ref=ref)
    refused(tx, "forbidden", refuse_referral, actor=world.dealer, at=AT, ref=ref, reason="No.")
    refused(tx, "forbidden", withdraw_referral, actor=world.account, at=AT, ref=ref, reason="No.")
