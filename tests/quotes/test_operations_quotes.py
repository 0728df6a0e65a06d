"""Building a quote: drafts at list price, submission, immutable revisions (program rules, section 4)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from quotes.operations.quotes import (
    LineInput,
    ServiceInput,
    save_draft,
    start_quote,
    start_revision,
)
from quotes.operations.submissions import submit_revision
from quotes.queries.listings import quotes_page
from quotes.queries.orders import orders_page
from quotes.queries.quotes import quote_page
from quotes.queries.verification import quote_faults
from quotes.rules.content import MAX_LINES
from quotes.rules.diff import Change
from quotes.states import RevisionState, ServiceKind, ServicesState
from referral.models import AccountNumber, Company, OutgoingMail, Qualification
from referral.operations.companies import end_account_number, end_qualification
from referral.operations.referrals import open_referral
from referral.operations.settings import change_setting
from referral.permissions import Role
from tests.factories import (
    AT,
    ITEMS,
    make_account,
    make_dealer,
    make_price_list,
    make_user,
    make_world,
    refused,
)
from tests.referral.test_operations_referrals import opening

LINES = (LineInput("D3-LIGHT", 10, "Kitchen"), LineInput("PROC-1", 1, "Equipment"))


def drafting(world, ref, **overrides):
    """Return what a builder says on saving a draft."""
    said = {
        "actor": world.account,
        "at": AT,
        "ref": ref,
        "revision_number": 1,
        "draft_version": None,
        "account_number": world.number,
        "note": "",
        "lines": LINES,
        "services": (),
        "has_no_services": True,
    }
    return said | overrides


def submitting(world, ref, **overrides):
    """Return what a builder says on submitting."""
    said = {"actor": world.account, "at": AT, "ref": ref, "revision_number": 1, "draft_version": None}
    return said | overrides


def page(world, ref, number=1, viewer=None):
    world.tx.flush()
    return quote_page(world.tx, viewer=viewer or world.account, at=AT, ref=ref, revision_number=number)


def end_everything(world, table, valid_to):
    """End the account's qualification or the dealer's number."""
    for row in world.tx.scalars(sa.select(table)).all():
        code = world.tx.get_one(Company, row.company_id).code
        said = {"actor": world.program, "at": AT, "code": code, "valid_to": valid_to}
        if table is Qualification:
            end_qualification(world.tx, **said, qualification_id=row.id, reason="Ended.")
        else:
            end_account_number(world.tx, **said, number_id=row.id)
    world.tx.flush()


# starting ---------------------------------------------------------------------------------------


def test_only_an_accepted_referral_is_quoted(tx):
    world = make_world(tx)
    number = open_referral(tx, **opening(world)).number
    said = {"actor": world.account, "at": AT, "referral_ref": f"R-{world.dealer.company_code}-{number}"}
    refused(tx, "referral_closed", start_quote, **said)


def test_a_quote_is_started_by_the_account_it_was_referred_to_while_qualified(tx):
    world = make_world(tx)
    ref = world.refer()
    said = {"actor": world.account, "at": AT, "referral_ref": ref}
    refused(tx, "not_found", start_quote, **said | {"actor": make_account(tx, world.program)})
    refused(tx, "forbidden", start_quote, **said | {"actor": world.dealer})
    refused(tx, "not_found", start_quote, **said | {"referral_ref": "R-NOBODY-1"})
    quote, number = start_quote(tx, **said)
    assert (number, quote.latest_revision) == (f"Q-{world.dealer.company_code}-1", 1)
    end_everything(world, Qualification, date(2026, 5, 3))
    refused(tx, "account_not_qualified", start_quote, **said)


def test_a_draft_does_not_exist_for_the_dealer_and_the_program(tx):
    world = make_world(tx)
    world.draft()
    for viewer in (world.dealer, world.program):
        assert quotes_page(tx, viewer=viewer, at=AT).rows == ()
    assert len(quotes_page(tx, viewer=world.account, at=AT).rows) == 1


# drafts -----------------------------------------------------------------------------------------


def test_list_prices_are_filled_in_and_fixed(tx):
    world = make_world(tx)
    ref = world.draft(lines=[LineInput(" d3-light ", 3, "Kitchen"), LineInput("D3-TRIM", 2, "", None, 3333)])
    assert [(row.line.model_number, row.line.list_price_cents) for row in page(world, ref).lines] == [
        ("D3-LIGHT", 41250),
        ("D3-TRIM", 3333),
    ]


@pytest.mark.parametrize("given_cents", [41249, 41251, 0, 1, 412500])
def test_a_price_off_the_list_is_refused_with_the_expected_and_the_given_one(tx, given_cents):
    world = make_world(tx)
    ref = world.draft()
    lines = [LINES[1], replace(LINES[0], list_price_cents=given_cents)]
    refusal = refused(tx, "not_list_price", save_draft, **drafting(world, ref, lines=lines))
    assert refusal.field == "lines-1-list_price"
    assert "412.50" in refusal.message
    assert f"{given_cents / 100:,.2f}" in refusal.message


def test_every_bad_row_is_reported_and_nothing_is_saved_if_one_is_bad(tx):
    world = make_world(tx)
    ref = world.draft()
    lines = [LINES[0], LineInput("NOPE", 1, ""), LineInput("D3-TRIM", 1, "", None, 1), LineInput("", 1, "")]
    refusal = refused(tx, "model_number_unknown", save_draft, **drafting(world, ref, lines=lines))
    assert [(problem.code, problem.field) for problem in refusal.problems] == [
        ("model_number_unknown", "lines-1-model_number"),
        ("not_list_price", "lines-2-list_price"),
        ("model_number_unknown", "lines-3-model_number"),
    ]
    assert len(page(world, ref).lines) == 3


def test_a_revision_has_a_greatest_number_of_lines(tx):
    world = make_world(tx)
    ref = world.draft()
    refused(tx, "invalid_input", save_draft, **drafting(world, ref, lines=[LINES[0]] * (MAX_LINES + 1)))


def test_two_editors_of_one_draft_notice_each_other(tx):
    world = make_world(tx)
    ref = world.draft()
    save_draft(tx, **drafting(world, ref, draft_version=2))
    refused(tx, "stale_draft", save_draft, **drafting(world, ref, draft_version=2))
    refused(tx, "stale_draft", submit_revision, **submitting(world, ref, draft_version=2))
    submit_revision(tx, **submitting(world, ref, draft_version=3))


def test_a_line_keeps_its_id_from_save_to_save_and_a_foreign_one_is_not_taken_over(tx):
    world = make_world(tx)
    foreign = world.line_ids(world.draft())[0]
    ref = world.draft()
    own = world.line_ids(ref)[0]
    lines = [
        replace(LINES[0], line_id=own),
        replace(LINES[0], line_id=own),
        replace(LINES[1], line_id=foreign),
    ]
    save_draft(tx, **drafting(world, ref, lines=lines))
    ids = world.line_ids(ref)
    assert ids[0] == own
    assert len({own, foreign, *ids}) == 4


def test_services_are_priced_apart_or_marked_none(tx):
    world = make_world(tx)
    ref = world.draft()
    services = [ServiceInput(ServiceKind.DESIGN, "Design", 5000), ServiceInput(ServiceKind.OTHER, "Lift", 0)]
    states = [
        save_draft(tx, **drafting(world, ref, services=said, has_no_services=is_none)).services_state
        for said, is_none in ((services, False), ((), True), ((), False))
    ]
    assert states == [ServicesState.PROPOSED, ServicesState.NONE, ServicesState.OPEN]


# submission -------------------------------------------------------------------------------------


def test_submission_pins_list_days_and_digests_and_tells_the_approvers(tx):
    world = make_world(tx)
    ref = world.submit()
    revision = page(world, ref, viewer=world.dealer).revision
    assert (revision.submitted_on, revision.expires_on) == (date(2026, 5, 4), date(2026, 6, 3))
    assert revision.price_list_id is not None
    assert revision.digest != revision.products_digest
    mails = tx.scalars(sa.select(OutgoingMail).where(OutgoingMail.recipient == world.dealer.email)).all()
    assert any("waits for your approval" in mail.subject for mail in mails)


def test_the_list_is_the_version_of_the_day_of_submission_and_pinned_to_the_revision(tx):
    world = make_world(tx)
    ref = world.draft()
    dearer = tuple(replace(item, list_price_cents=item.list_price_cents + 100) for item in ITEMS)
    make_price_list(tx, world.program, valid_from=date(2026, 5, 4), items=dearer)
    world.submit(ref)
    make_price_list(
        tx, world.program, valid_from=date(2026, 5, 5), at=AT, items=[replace(ITEMS[0], list_price_cents=1)]
    )
    seen = page(world, ref)
    assert seen.price_list.version == 2
    assert seen.lines[0].line.list_price_cents == 41350
    world.approve(ref)
    order, _ = world.order(ref, at=AT + timedelta(days=20))
    assert order.products_cents == 10 * 41350 + 10 * 3433 + 120100


def test_an_item_that_left_the_list_before_submission_is_named(tx):
    world = make_world(tx)
    ref = world.draft()
    make_price_list(tx, world.program, valid_from=date(2026, 5, 4), items=ITEMS[:2])
    refusal = refused(tx, "model_number_unknown", submit_revision, **submitting(world, ref))
    assert refusal.field == "lines-2-model_number"


def test_a_price_changed_by_sql_in_a_draft_is_list_price_again_on_submission(tx):
    world = make_world(tx)
    ref = world.draft()
    tx.flush()
    tx.execute(sa.text("UPDATE revision_line SET list_price_cents = 1"))
    tx.expire_all()
    world.submit(ref)
    assert [row.line.list_price_cents for row in page(world, ref).lines] == [41250, 3333, 120000]


def test_an_empty_draft_is_not_submitted(tx):
    world = make_world(tx)
    ref = world.draft(lines=[])
    refused(tx, "empty_quote", submit_revision, **submitting(world, ref))


@pytest.mark.parametrize("typed", ["", "  ", " - "])
def test_a_quote_states_the_dealers_account_number(tx, typed):
    world = make_world(tx)
    ref = world.draft(account_number=typed)
    refusal = refused(tx, "account_number_missing", submit_revision, **submitting(world, ref))
    assert refusal.field == "account_number"


@pytest.mark.parametrize("table", [AccountNumber, Qualification])
def test_number_and_qualification_hold_through_their_last_day_and_no_longer(tx, table):
    world = make_world(tx)
    first, second = world.draft(), world.draft()
    end_everything(world, table, date(2026, 5, 4))
    submit_revision(tx, **submitting(world, first, at=datetime(2026, 5, 5, 3, 59, 59, tzinfo=UTC)))
    code = "account_not_qualified" if table is Qualification else "account_number_unknown_for_dealer"
    refused(tx, code, submit_revision, **submitting(world, second, at=datetime(2026, 5, 5, 4, tzinfo=UTC)))


def test_the_days_of_validity_are_a_setting_of_the_day_of_submission(tx):
    world = make_world(tx)
    change_setting(
        tx,
        actor=world.program,
        at=AT,
        key="quote_valid_days",
        value="5",
        valid_from=date(2026, 5, 4),
        valid_to=None,
        reason="Rising costs.",
        source="Letter",
    )
    assert page(world, world.submit()).revision.expires_on == date(2026, 5, 9)


# immutable --------------------------------------------------------------------------------------


IMMUTABLE = [
    "UPDATE revision SET account_number = '1'",
    "UPDATE revision SET digest = 'x'",
    "UPDATE revision SET expires_on = '2030-01-01'",
    "UPDATE revision SET state = 'draft', digest = NULL, submitted_at = NULL",
    "UPDATE revision SET services_state = 'none'",
    "UPDATE revision SET note = 'x'",
    "DELETE FROM revision",
    "UPDATE revision_line SET quantity = 1",
    "UPDATE revision_line SET list_price_cents = 1",
    "UPDATE revision_line SET room = 'x'",
    "DELETE FROM revision_line",
    "UPDATE revision_service SET amount_cents = 1",
    "DELETE FROM revision_service",
    "INSERT INTO revision_service SELECT dealer_id, quote_id, revision_number, 99, kind, description, 1 FROM revision_service",
    "DELETE FROM quote",
]


@pytest.mark.parametrize("statement", IMMUTABLE)
def test_a_submitted_revision_is_immutable_in_the_database_too(tx, statement):
    world = make_world(tx)
    world.submit()
    tx.commit()
    with pytest.raises(DBAPIError, match="immutable|append_only"):
        tx.execute(sa.text(statement))
    tx.rollback()
    assert list(quote_faults(tx)) == []


def test_a_line_of_a_draft_is_not_smuggled_into_a_submitted_revision(tx):
    world = make_world(tx)
    ref = world.submit()
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    world.save(ref, revision=2)
    tx.commit()
    with pytest.raises(DBAPIError, match="immutable"):
        tx.execute(sa.text("UPDATE revision_line SET revision_number = 1 WHERE revision_number = 2"))
    tx.rollback()


# next revisions ---------------------------------------------------------------------------------


def test_a_next_revision_keeps_lines_and_their_ids_services_number_and_note(tx):
    world = make_world(tx)
    ref = world.draft(note="Dim to warm.")
    world.submit(ref)
    draft = start_revision(tx, actor=world.account, at=AT, ref=ref)
    assert (draft.number, draft.state, draft.account_number, draft.note, draft.services_state) == (
        2,
        RevisionState.DRAFT,
        world.number,
        "Dim to warm.",
        ServicesState.PROPOSED,
    )
    assert world.line_ids(ref, 2) == world.line_ids(ref, 1)
    assert page(world, ref, 2).services == page(world, ref, 1).services
    assert page(world, ref).revision.state is RevisionState.SUBMITTED


def test_starting_a_next_revision_twice_is_one_draft(tx):
    world = make_world(tx)
    ref = world.submit()
    drafts = [start_revision(tx, actor=world.account, at=AT, ref=ref).number for _ in range(2)]
    assert drafts == [2, 2]


def test_services_agreed_on_a_revision_are_proposed_anew_on_the_next(tx):
    world = make_world(tx)
    ref = world.approve()
    assert page(world, ref).revision.services_state is ServicesState.AGREED
    assert start_revision(tx, actor=world.account, at=AT, ref=ref).services_state is ServicesState.PROPOSED


def test_a_revision_is_compared_line_by_line_with_the_one_before(tx):
    world = make_world(tx)
    ref = world.submit()
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    light, trim, _ = world.line_ids(ref)
    lines = [
        LineInput("D3-LIGHT", 12, "Kitchen", light),
        LineInput("D3-TRIM", 10, "Kitchen", trim),
        LineInput("L3I-STRIP", 4, "Stairs"),
    ]
    world.save(ref, revision=2, lines=lines)
    world.submit(ref, revision=2)
    seen = page(world, ref, 2, viewer=world.dealer)
    assert seen.compared_with == 1
    assert [(change.change, change.fields) for change in seen.changes] == [
        (Change.CHANGED, ("quantity",)),
        (Change.SAME, ()),
        (Change.ADDED, ()),
        (Change.REMOVED, ()),
    ]


def test_services_do_not_touch_the_product_digest_of_a_submitted_revision(tx):
    world = make_world(tx)
    ref = world.draft()
    digests = {}
    for amount in (100, 200):
        tx.flush()
        with tx.begin_nested() as attempt:
            services = [ServiceInput(ServiceKind.INSTALL, "Installation", amount)]
            ids = world.line_ids(ref)
            lines = [LineInput("D3-LIGHT", 10, "Kitchen", ids[0])]
            save_draft(tx, **drafting(world, ref, lines=lines, services=services, has_no_services=False))
            world.submit(ref)
            revision = page(world, ref).revision
            digests[amount] = (revision.products_digest, revision.services_digest, revision.digest)
            attempt.rollback()
        tx.expire_all()
    assert digests[100][0] == digests[200][0]
    assert digests[100][1] != digests[200][1]
    assert digests[100][2] != digests[200][2]


# scope ------------------------------------------------------------------------------------------


def verbs(world, ref):
    return (
        (start_revision, {"actor": world.account, "at": AT, "ref": ref}),
        (save_draft, drafting(world, ref)),
        (submit_revision, submitting(world, ref)),
    )


def test_another_companys_quote_does_not_exist(tx):
    world = make_world(tx)
    ref = world.draft()
    other = make_account(tx, world.program)
    for operation, said in verbs(world, ref):
        refused(tx, "not_found", operation, **said | {"actor": other})
        for wrong in ("Q-NOBODY-1", ref.replace("Q-", "O-"), f"{ref}9", "💡"):
            refused(tx, "not_found", operation, **said | {"ref": wrong})


def test_who_is_no_builder_of_the_account_builds_nothing(tx):
    world = make_world(tx)
    ref = world.draft()
    company = tx.get_one(Company, world.account.company_id)
    actors = [world.dealer, world.program] + [
        make_user(tx, company, role)
        for role in (Role.ACCOUNT_VIEWER, Role.ACCOUNT_INSTALLER, Role.ACCOUNT_ADMIN)
    ]
    for actor in actors:
        for operation, said in verbs(world, ref):
            refused(tx, "forbidden", operation, **said | {"actor": actor})


def test_a_revision_that_does_not_exist_is_not_found(tx):
    world = make_world(tx)
    ref = world.draft()
    for number in (0, 2, -1):
        refused(tx, "not_found", save_draft, **drafting(world, ref, revision_number=number))
        refused(tx, "not_found", submit_revision, **submitting(world, ref, revision_number=number))


def test_nothing_of_one_dealer_is_seen_by_another(tx):
    world = make_world(tx)
    world.order()
    other = make_dealer(tx, world.program)
    assert quotes_page(tx, viewer=other, at=AT).rows == ()
    assert orders_page(tx, viewer=other).rows == ()
    assert len(orders_page(tx, viewer=world.dealer).rows) == 1


def test_starting_a_quote_twice_is_one_quote(tx):
    world = make_world(tx)
    ref = world.refer()
    started = [start_quote(world.tx, actor=world.account, at=AT, referral_ref=ref) for _ in range(2)]
    assert started[0] == started[1]
    world.save(started[0][1])
    world.submit(started[0][1])
    assert start_quote(world.tx, actor=world.account, at=AT, referral_ref=ref)[1] != started[0][1]
