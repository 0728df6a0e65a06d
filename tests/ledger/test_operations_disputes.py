"""Disputes: who may open and answer them, until when, what an answer posts, and that there is one answer."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.disputes import Dispute, DisputeAnswer
from ledger.operations.adjustments import adjust_credit, record_other_purchase
from ledger.operations.disputes import answer_dispute, open_dispute, withdraw_dispute
from ledger.queries.dispute_verification import dispute_faults
from ledger.queries.disputed_postings import disputable_posting
from ledger.queries.disputes import dispute_page, dispute_rows, disputes_page, open_disputes
from ledger.queries.verification import ledger_faults
from ledger.states import AccountKind, DisputeOutcome, EntryKind
from referral.db import read, write
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import AuditEvent, Company, OutgoingMail
from referral.operations.settings import change_setting
from referral.permissions import Role
from tests.factories import AT, make_dealer, make_user, make_world, refused
from tests.tampering import do
from tests.threads import call_at_once

DAY = date(2026, 5, 4)


@pytest.fixture
def world(tx):
    """A dealer with one order of 4,458.30 on 4 May 2026."""
    made = make_world(tx)
    made.order()
    return made


def opening(world, **overrides):
    said = {
        "actor": world.dealer,
        "at": AT,
        "dealer_code": world.dealer.company_code,
        "program_year": 2026,
        "account_kind": AccountKind.SALES_CREDIT,
        "sequence": 1,
        "claimed_cents": 500_000,
        "reason": "Two trims are missing.",
        "idempotency_key": "d-1",
    }
    return said | overrides


def answering(world, ref, **overrides):
    said = {
        "actor": world.program,
        "at": AT + timedelta(days=3),
        "ref": ref,
        "outcome": DisputeOutcome.UPHELD,
        "words": "They were forgotten.",
        "amount_cents": 54_170,
        "effective_on": DAY,
    }
    return said | overrides


def dismissing(world, ref, **overrides):
    empty = {"outcome": DisputeOutcome.DISMISSED, "amount_cents": None, "effective_on": None}
    return answering(world, ref, **(empty | overrides))


def ref_of(world, number=1):
    return str(PublicNumber("D", world.dealer.company_code, number))


def disputed(tx, world, **overrides):
    open_dispute(tx, **opening(world, **overrides))
    return ref_of(world)


def mails(tx, recipient):
    return tx.scalars(sa.select(OutgoingMail.subject).where(OutgoingMail.recipient == recipient)).all()


# opening ----------------------------------------------------------------------------------------


def test_open_dispute_gives_it_the_dealers_number_a_day_to_answer_by_a_mail_and_an_event(tx, world):
    dispute = open_dispute(tx, **opening(world))
    assert (dispute.number, dispute.opened_on, dispute.answer_due_on) == (1, DAY, date(2026, 5, 18))
    ref = ref_of(world)
    assert mails(tx, world.program.email) == [f"{world.dealer.company_name} disputes a posting: {ref}"]
    assert tx.scalars(sa.select(AuditEvent.event).where(AuditEvent.subject == ref)).all() == [
        "dispute.opened"
    ]
    page = disputes_page(tx, viewer=world.program, at=AT)
    assert [(row.ref, row.state, row.days_left) for row in page.open] == [(ref, "open", 14)]
    assert open_disputes(tx, viewer=world.dealer, day=date(2026, 5, 19)).overdue == 1


def test_the_same_key_and_content_is_one_dispute_and_other_content_is_refused(tx, world):
    first = open_dispute(tx, **opening(world))
    assert open_dispute(tx, **opening(world)) is first
    for other in ({"claimed_cents": 1}, {"reason": "Other"}):
        refused(tx, "idempotency_key_reused", open_dispute, **opening(world, **other))
    assert tx.scalar(sa.select(sa.func.count()).select_from(Dispute)) == 1


def test_a_posting_has_one_open_dispute_and_may_have_another_after_the_answer(tx, world):
    ref = disputed(tx, world)
    refused(tx, "dispute_open", open_dispute, **opening(world, idempotency_key="d-2"))
    answer_dispute(tx, **dismissing(world, ref))
    assert open_dispute(tx, **opening(world, idempotency_key="d-2")).number == 2


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (datetime(2026, 7, 31, 3, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 7, 31, 4, 0, tzinfo=UTC), False),
    ],
)
def test_the_window_ends_with_the_60th_day_after_the_month_of_posting(at, is_open, tx, world):
    seen = disputable_posting(
        tx,
        viewer=world.dealer,
        at=at,
        dealer_code=world.dealer.company_code,
        program_year=2026,
        account_kind=AccountKind.SALES_CREDIT,
        sequence=1,
    )
    assert (seen.last_day, seen.is_window_open) == (date(2026, 7, 30), is_open)
    if is_open:
        assert open_dispute(tx, **opening(world, at=at)).opened_on == date(2026, 7, 30)
    else:
        refusal = refused(tx, "dispute_window_closed", open_dispute, **opening(world, at=at))
        assert refusal.details == {"last_day": "2026-07-30"}


def test_a_month_of_posting_is_the_programs_and_not_that_of_greenwich(tx, world):
    said = {
        "actor": world.program, "dealer_code": world.dealer.company_code, "effective_on": DAY, "reason": "Late",
    }  # fmt: skip
    for key, at in enumerate(
        (datetime(2026, 6, 1, 3, 59, tzinfo=UTC), datetime(2026, 6, 1, 4, 0, tzinfo=UTC)), start=2
    ):
        adjust_credit(tx, at=at, amount_cents=100, idempotency_key=f"k-{key}", **said)
    at = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
    refused(tx, "dispute_window_closed", open_dispute, **opening(world, at=at, sequence=2))
    assert open_dispute(tx, **opening(world, at=at, sequence=3)).number == 1


def test_what_the_window_was_in_the_month_of_posting_holds_whatever_it_is_changed_to(tx, world):
    change_setting(
        tx, actor=world.program, at=AT, key="dispute_window_days", value="1", valid_from=date(2026, 6, 1),
        valid_to=None, reason="Shorter", source="Letter",
    )  # fmt: skip
    assert open_dispute(tx, **opening(world, at=datetime(2026, 7, 30, 15, 0, tzinfo=UTC))).number == 1


def test_open_dispute_refuses_what_is_not_the_dealers_or_not_there(tx, world):
    other = make_dealer(tx, world.program)
    refused(tx, "not_found", open_dispute, **opening(world, actor=other))
    refused(tx, "not_found", open_dispute, **opening(world, sequence=2))
    refused(tx, "not_found", open_dispute, **opening(world, program_year=2025))
    refused(tx, "not_found", open_dispute, **opening(world, account_kind=AccountKind.OTHER_PURCHASES))
    refused(tx, "forbidden", open_dispute, **opening(world, actor=world.program))
    refused(tx, "forbidden", open_dispute, **opening(world, actor=world.account))
    viewer = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    refused(tx, "forbidden", open_dispute, **opening(world, actor=viewer))


def test_open_dispute_refuses_without_reason_or_key_and_for_the_amount_that_is_posted(tx, world):
    refused(tx, "reason_required", open_dispute, **opening(world, reason=" "))
    refused(tx, "idempotency_key_missing", open_dispute, **opening(world, idempotency_key=" "))
    assert refused(tx, "invalid_input", open_dispute, **opening(world, claimed_cents=445_830)).field == (
        "claimed_cents"
    )


# answering --------------------------------------------------------------------------------------


def test_an_upheld_dispute_posts_an_adjustment_that_takes_up_the_disputed_entry(tx, world):
    ref = disputed(tx, world)
    answer = answer_dispute(tx, **answering(world, ref))
    entry = tx.get_one(LedgerEntry, (answer.dealer_id, answer.entry_id))
    original = tx.scalars(sa.select(LedgerEntry).where(LedgerEntry.sequence == 1)).one()
    assert (entry.kind, entry.amount_cents, entry.balance_cents) == (EntryKind.ADJUSTMENT, 54_170, 500_000)
    assert (entry.related_entry_id, entry.source, entry.effective_on) == (original.id, ref, DAY)
    assert mails(tx, world.dealer.email).count(f"Dispute {ref} is upheld") == 1
    row = dispute_page(tx, viewer=world.dealer, at=AT, ref=ref).row
    assert (row.state, row.correction.sequence, row.answered_by) == ("upheld", 2, world.program.name)
    assert [*ledger_faults(tx), *dispute_faults(tx)] == []


def test_a_dispute_about_other_purchases_is_put_right_in_their_account(tx, world):
    record_other_purchase(
        tx, actor=world.program, at=AT, dealer_code=world.dealer.company_code, purchased_on=date(2025, 12, 30),
        amount_cents=1_000, document="INV-1", reason="Invoice", idempotency_key="p",
    )  # fmt: skip
    ref = disputed(tx, world, program_year=2025, account_kind=AccountKind.OTHER_PURCHASES)
    refusal = refused(tx, "invalid_input", answer_dispute, **answering(world, ref))
    assert refusal.field == "effective_on"
    answer = answer_dispute(tx, **answering(world, ref, effective_on=date(2025, 12, 31)))
    entry = tx.get_one(LedgerEntry, (answer.dealer_id, answer.entry_id))
    assert (entry.account_kind, entry.program_year) == (AccountKind.OTHER_PURCHASES, 2025)


def test_a_correction_of_a_closed_year_goes_to_the_present_one(tx, world):
    ref = disputed(tx, world)
    tx.execute(sa.update(LedgerAccount).values(closed_at=AT))
    at = datetime(2027, 1, 8, 15, 0, tzinfo=UTC)
    refused(tx, "invalid_input", answer_dispute, **answering(world, ref, at=at))
    answer = answer_dispute(tx, **answering(world, ref, at=at, effective_on=date(2027, 1, 8)))
    entry = tx.get_one(LedgerEntry, (answer.dealer_id, answer.entry_id))
    assert (entry.program_year, entry.sequence) == (2027, 1)
    assert [*ledger_faults(tx), *dispute_faults(tx)] == []


def test_a_dismissed_dispute_posts_nothing_and_says_why(tx, world):
    ref = disputed(tx, world)
    refused(tx, "invalid_input", answer_dispute, **dismissing(world, ref, amount_cents=1))
    refused(tx, "reason_required", answer_dispute, **dismissing(world, ref, words=" "))
    assert answer_dispute(tx, **dismissing(world, ref)).entry_id is None
    assert tx.scalar(sa.select(sa.func.count()).select_from(LedgerEntry)) == 1
    (row,) = dispute_rows(tx, viewer=world.dealer, at=AT, is_open=False).rows
    assert (row.state, row.words) == ("dismissed", "They were forgotten.")


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"amount_cents": None}, "amount_cents"),
        ({"amount_cents": 0}, "amount_cents"),
        ({"effective_on": None}, "effective_on"),
        ({"effective_on": date(2026, 5, 3)}, "effective_on"),
        ({"effective_on": date(2026, 5, 8)}, "effective_on"),
        ({"outcome": DisputeOutcome.WITHDRAWN}, "outcome"),
    ],
)
def test_answer_dispute_refuses_what_cannot_be_posted(overrides, field, tx, world):
    ref = disputed(tx, world)
    assert refused(tx, "invalid_input", answer_dispute, **answering(world, ref, **overrides)).field == field


def test_an_answer_given_twice_is_one_and_another_one_is_refused(tx, world):
    ref = disputed(tx, world)
    first = answer_dispute(tx, **answering(world, ref))
    assert answer_dispute(tx, **answering(world, ref)) is first
    refused(tx, "not_pending", answer_dispute, **answering(world, ref, amount_cents=1))
    refused(tx, "not_pending", answer_dispute, **dismissing(world, ref))
    said = {"actor": world.dealer, "at": AT, "ref": ref, "words": ""}
    refused(tx, "not_pending", withdraw_dispute, **said)


def test_only_the_program_answers_and_only_the_dealer_withdraws(tx, world):
    ref = disputed(tx, world)
    refused(tx, "forbidden", answer_dispute, **answering(world, ref, actor=world.dealer))
    refused(tx, "not_found", answer_dispute, **answering(world, ref_of(world, 2)))
    said = {"actor": world.program, "at": AT, "ref": ref, "words": "Never mind."}
    refused(tx, "forbidden", withdraw_dispute, **said)
    refused(tx, "not_found", withdraw_dispute, **(said | {"actor": make_dealer(tx, world.program)}))
    mine = said | {"actor": world.dealer}
    first = withdraw_dispute(tx, **mine)
    assert (first.outcome, first.entry_id) == (DisputeOutcome.WITHDRAWN, None)
    assert withdraw_dispute(tx, **mine) is first
    assert mails(tx, world.program.email).count(f"Dispute {ref} is withdrawn") == 1
    refused(tx, "not_pending", answer_dispute, **answering(world, ref))


def test_disputes_are_walked_newest_first_and_another_dealers_do_not_exist(tx, world):
    for number in (1, 2, 3):
        disputed(tx, world, idempotency_key=f"d-{number}")
        answer_dispute(tx, **dismissing(world, ref_of(world, number)))
    seen, after = [], None
    while True:
        page = dispute_rows(tx, viewer=world.dealer, at=AT, after=after, limit=1)
        seen += [row.ref for row in page.rows]
        after = page.after
        if after is None:
            break
    assert seen == [ref_of(world, number) for number in (3, 2, 1)]
    other = make_dealer(tx, world.program)
    assert dispute_rows(tx, viewer=other, at=AT).rows == ()
    with pytest.raises(Refusal):
        dispute_page(tx, viewer=other, at=AT, ref=ref_of(world))


# at the same time -------------------------------------------------------------------------------


def test_20_people_who_dispute_one_posting_open_one_dispute(app, tx, world):
    tx.commit()
    keys = iter(range(20))
    answers = call_at_once(
        app, lambda: write(open_dispute, **opening(world, idempotency_key=f"d-{next(keys)}")), 20
    )
    assert sorted(getattr(answer, "code", "") for answer in answers) == [""] + ["dispute_open"] * 19
    assert tx.scalars(sa.select(Dispute.number)).all() == [1]


def test_20_times_one_key_is_one_dispute_and_nobody_is_refused(app, tx, world):
    tx.commit()
    answers = call_at_once(app, lambda: write(open_dispute, **opening(world)), 20)
    assert {answer.number for answer in answers} == {1}


def test_of_many_answers_at_once_one_wins_and_posts_once(app, tx, world):
    ref = disputed(tx, world)
    tx.commit()
    bodies = iter(
        [answering(world, ref, amount_cents=cents) for cents in range(1, 9)]
        + [dismissing(world, ref, words=f"No {number}") for number in range(8)]
    )
    answers = call_at_once(app, lambda: write(answer_dispute, **next(bodies)), 16)
    assert sorted(getattr(answer, "code", "") for answer in answers) == [""] + ["not_pending"] * 15
    (answer,) = tx.scalars(sa.select(DisputeAnswer)).all()
    entries = tx.scalar(sa.select(sa.func.count()).select_from(LedgerEntry))
    assert entries == (2 if answer.outcome is DisputeOutcome.UPHELD else 1)
    assert read(lambda tx: [*ledger_faults(tx), *dispute_faults(tx)]) == []


def test_one_answer_sent_by_many_threads_is_one_answer(app, tx, world):
    ref = disputed(tx, world)
    tx.commit()
    answers = call_at_once(app, lambda: write(answer_dispute, **answering(world, ref)), 16)
    assert len({answer.entry_id for answer in answers}) == 1
    assert tx.scalar(sa.select(sa.func.count()).select_from(LedgerEntry)) == 2


# verification -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            "UPDATE dispute_answer SET entry_id = (SELECT id FROM ledger_entry WHERE sequence = 1)",
            "no adjustment",
        ),
        ("UPDATE dispute_answer SET words = 'Something else'", "does not recompute"),
        ("UPDATE dispute SET claimed_cents = 1", "does not recompute"),
        ("UPDATE ledger_entry SET related_entry_id = NULL WHERE sequence = 2", "does not take up"),
        ("UPDATE dispute_answer SET entry_id = NULL", "its entry is not there"),
        ("DELETE FROM dispute_answer", "has no such answer"),
    ],
)
def test_a_dispute_tampered_with_is_found(statement, fault, tx, world):
    answer_dispute(tx, **answering(world, disputed(tx, world)))
    assert list(dispute_faults(tx)) == []
    do(tx, sa.text(statement))
    assert any(fault in sentence for sentence in dispute_faults(tx))
