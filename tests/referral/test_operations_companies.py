"""Companies, their dated account numbers and qualifications (program rules, section 1)."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerEntry
from quotes.operations.quotes import save_draft
from quotes.operations.submissions import submit_revision
from referral.db import write
from referral.errors import Refusal
from referral.models import AccountNumber, AuditEvent, Company, Qualification
from referral.operations.companies import (
    add_account_number,
    add_company,
    add_qualification,
    end_account_number,
    end_qualification,
)
from referral.permissions import CompanyKind, Role
from referral.queries.companies import check_account_number, is_qualified_on
from tests.factories import AT, SINCE, make_company, make_dealer, make_program, make_user, make_world, refused

DAY = date(2026, 5, 4)


def company_said(actor, **overrides):
    said = {
        "actor": actor,
        "at": AT,
        "code": "NORTH",
        "name": "North Light",
        "kinds": frozenset({CompanyKind.DEALER}),
        "city": "Bath",
        "region": "ME",
        "serves": "",
        "active_from": SINCE,
    }
    return said | overrides


def number_said(actor, code, **overrides):
    said = {
        "actor": actor,
        "at": AT,
        "code": code,
        "number": "0099-1",
        "valid_from": SINCE,
        "valid_to": None,
    }
    return said | overrides


def is_held(tx, viewer, number, day=DAY):
    try:
        check_account_number(tx, dealer_id=viewer.company_id, number=number, day=day)
    except Refusal:
        return False
    return True


def test_a_company_gets_its_code_in_capitals_and_an_audit_event(tx):
    program = make_program(tx)
    company = add_company(tx, **company_said(program, code=" north "))
    tx.flush()
    assert company.code == "NORTH"
    event = tx.scalars(sa.select(AuditEvent).where(AuditEvent.subject == "NORTH")).one()
    assert (event.event, event.actor_id, event.company_id) == ("company.added", program.user_id, company.id)


@pytest.mark.parametrize("code", ["", "AB", "ABCDEFGHI", "1AB", "A-B", "A B", "ÄBC", "A" * 10_000, "😀😀😀"])
def test_a_code_that_is_not_3_to_8_letters_and_digits_is_refused(tx, code):
    refused(tx, "invalid_input", add_company, **company_said(make_program(tx), code=code))


def test_a_code_is_given_once(tx):
    program = make_program(tx)
    add_company(tx, **company_said(program))
    refused(tx, "code_taken", add_company, **company_said(program, code="north"))


def test_a_company_is_of_some_kind(tx):
    refused(tx, "invalid_input", add_company, **company_said(make_program(tx), kinds=frozenset()))


@pytest.mark.parametrize("role", [Role.PROGRAM_AUDITOR, Role.DEALER_ADMIN, Role.ACCOUNT_ADMIN])
def test_only_the_programs_admins_manage_companies(tx, role):
    program = make_program(tx)
    company = make_company(tx, role.company_kind)
    actor = make_user(tx, company, role)
    number = make_dealer(tx, program)
    row = tx.scalars(sa.select(AccountNumber)).one()
    refused(tx, "forbidden", add_company, **company_said(actor))
    refused(tx, "forbidden", add_account_number, **number_said(actor, company.code))
    refused(
        tx,
        "forbidden",
        end_account_number,
        actor=actor,
        at=AT,
        code=number.company_code,
        number_id=row.id,
        valid_to=DAY,
    )
    refused(
        tx,
        "forbidden",
        add_qualification,
        actor=actor,
        at=AT,
        code=company.code,
        valid_from=SINCE,
        valid_to=None,
        evidence="",
    )


def test_nothing_is_added_to_a_company_that_does_not_exist(tx):
    program = make_program(tx)
    refused(tx, "not_found", add_account_number, **number_said(program, "NOBODY"))


@pytest.mark.parametrize("typed", ["00991", " 0099 1", "00-99-1", "0099\u20111", "0099-1"])
def test_account_numbers_compare_without_spaces_and_hyphens_and_keep_leading_zeros(tx, typed):
    dealer = make_dealer(tx, make_program(tx), number="0099-1")
    assert is_held(tx, dealer, typed)
    assert not is_held(tx, dealer, typed.lstrip(" 0"))


def test_a_number_of_another_dealer_is_answered_as_unknown(tx):
    world = make_world(tx)
    make_dealer(tx, world.program, number="0777-7")
    answers = []
    for typed in ("0777-7", "0666-6"):
        ref = world.draft(account_number=typed)
        refusal = refused(
            tx,
            "account_number_unknown_for_dealer",
            submit_revision,
            actor=world.account,
            at=AT,
            ref=ref,
            revision_number=1,
            draft_version=None,
        )
        answers.append((refusal.message, refusal.field, dict(refusal.details)))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_first_and_last_day_of_an_account_number_are_included(tx, shift):
    program = make_program(tx)
    dealer = make_dealer(tx, program)
    first, last = date(2026, 2, 1), date(2026, 2, 28)
    add_account_number(tx, **number_said(program, dealer.company_code, valid_from=first, valid_to=last))
    tx.flush()
    assert is_held(tx, dealer, "0099-1", first + timedelta(days=shift)) is (shift >= 0)
    assert is_held(tx, dealer, "0099-1", last + timedelta(days=shift)) is (shift <= 0)


@pytest.mark.parametrize("is_same_company", [True, False])
@pytest.mark.parametrize(
    ("valid_from", "valid_to", "is_taken"),
    [
        (date(2026, 1, 1), date(2026, 1, 31), False),
        (date(2026, 1, 1), date(2026, 2, 1), True),
        (date(2026, 2, 10), date(2026, 2, 11), True),
        (date(2026, 2, 28), None, True),
        (date(2026, 3, 1), None, False),
        (SINCE, None, True),
    ],
)
def test_a_number_belongs_to_one_company_on_each_day(tx, valid_from, valid_to, is_taken, is_same_company):
    program = make_program(tx)
    holder, other = make_dealer(tx, program), make_dealer(tx, program)
    days = {"valid_from": date(2026, 2, 1), "valid_to": date(2026, 2, 28)}
    add_account_number(tx, **number_said(program, holder.company_code, **days))
    said = number_said(
        program,
        holder.company_code if is_same_company else other.company_code,
        number="00 991",
        valid_from=valid_from,
        valid_to=valid_to,
    )
    if is_taken:
        assert refused(tx, "account_number_taken", add_account_number, **said).field == "number"
    else:
        assert add_account_number(tx, **said).folded == "00991"


@pytest.mark.parametrize(
    ("number", "code"),
    [("", "account_number_missing"), (" - ", "account_number_missing"), ("12;34", "invalid_input"), ("=1+1", "invalid_input"), ("😀", "invalid_input")],
)  # fmt: skip
def test_an_account_number_has_letters_and_digits(tx, number, code):
    program = make_program(tx)
    refused(tx, code, add_account_number, **number_said(program, program.company_code, number=number))


def test_a_number_that_ended_can_change_hands_on_the_next_day(tx):
    program = make_program(tx)
    before, after = make_dealer(tx, program, number="0099-1"), make_dealer(tx, program)
    row = tx.scalars(sa.select(AccountNumber).where(AccountNumber.folded == "00991")).one()
    said = {"actor": program, "at": AT, "code": before.company_code, "number_id": row.id}
    end_account_number(tx, **said, valid_to=DAY)
    next_day = DAY + timedelta(days=1)
    add_account_number(tx, **number_said(program, after.company_code, valid_from=next_day))
    tx.flush()
    assert [is_held(tx, one, "0099-1", day) for one in (before, after) for day in (DAY, next_day)] == [
        True,
        False,
        False,
        True,
    ]
    refused(tx, "invalid_input", end_account_number, **said, valid_to=next_day)
    refused(tx, "invalid_input", end_account_number, **said, valid_to=SINCE - timedelta(days=1))


def test_the_number_of_another_company_is_not_ended_by_its_id(tx):
    program = make_program(tx)
    make_dealer(tx, program)
    row = tx.scalars(sa.select(AccountNumber)).one()
    other = make_dealer(tx, program)
    refused(
        tx,
        "not_found",
        end_account_number,
        actor=program,
        at=AT,
        code=other.company_code,
        number_id=row.id,
        valid_to=DAY,
    )


def test_only_an_account_can_be_qualified_and_days_are_in_order(tx):
    world = make_world(tx)
    said = {"actor": world.program, "at": AT, "evidence": "Certificate", "valid_from": DAY}
    refused(tx, "invalid_input", add_qualification, **said, code=world.dealer.company_code, valid_to=None)
    refused(
        tx,
        "invalid_input",
        add_qualification,
        **said,
        code=world.account.company_code,
        valid_to=DAY - timedelta(days=1),
    )


def test_ending_a_qualification_needs_a_reason_and_moves_nothing_posted(tx):
    world = make_world(tx)
    world.order()
    row = tx.scalars(sa.select(Qualification)).one()
    said = {
        "actor": world.program,
        "at": AT,
        "code": world.account.company_code,
        "qualification_id": row.id,
        "valid_to": DAY - timedelta(days=1),
    }
    refused(tx, "reason_required", end_qualification, **said, reason=" ")
    posted = tx.scalars(sa.select(LedgerEntry.digest)).all()
    end_qualification(tx, **said, reason="Lost its certificate.")
    tx.flush()
    assert not is_qualified_on(tx, world.account.company_id, DAY)
    assert is_qualified_on(tx, world.account.company_id, DAY - timedelta(days=1))
    assert tx.scalars(sa.select(LedgerEntry.digest)).all() == posted
    refused(
        tx,
        "not_found",
        end_qualification,
        **said | {"code": world.dealer.company_code},
        reason="Not theirs.",
    )


def test_a_stated_number_is_kept_as_written_without_spaces_around_it(tx):
    world = make_world(tx)
    ref = world.draft()
    draft = save_draft(
        tx,
        actor=world.account,
        at=AT,
        ref=ref,
        revision_number=1,
        draft_version=None,
        account_number=f"  {world.number} ",
        note="",
        lines=[],
        services=[],
        has_no_services=True,
    )
    assert draft.account_number == world.number


def test_a_write_of_the_command_line_has_no_actor(tx, app):
    tx.commit()
    write(add_company, **company_said(None))
    assert tx.scalars(sa.select(AuditEvent.actor_id)).all() == [None]
    assert tx.scalars(sa.select(Company.code)).all() == ["NORTH"]
