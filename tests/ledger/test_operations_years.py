"""Closing a program year: once, one dealer at a time, for good (program rules, section 7)."""

import inspect
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.disputes import Dispute, DisputeAnswer
from ledger.models.evidence import Evidence
from ledger.models.imports import CreditImport
from ledger.models.years import YearClose, YearClosing
from ledger.operations.adjustments import adjust_credit, record_other_purchase
from ledger.operations.entries import posting_year
from ledger.operations.levels import set_levels
from ledger.operations.transfers import transfer_credit
from ledger.operations.years import close_dealer_year, finish_closing, start_closing
from ledger.queries.levels import credit_year
from ledger.queries.listings import balances_page
from ledger.queries.open_items import ledger_open_items, open_items_of
from ledger.queries.statements import statement_page, year_summary
from ledger.queries.verification import ledger_faults
from ledger.queries.year_verification import closing_faults
from ledger.queries.years import dealers_to_close
from ledger.rules.credit import LevelStep
from ledger.rules.digests import year_close_digest
from ledger.states import AccountKind, DisputeOutcome, EntryKind, EvidenceKind
from quotes.operations.cancellations import cancel_order
from quotes.queries.open_items import quote_open_items
from quotes.queries.verification import quote_faults
from referral.db import read, write
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import AuditEvent, Company, OutgoingMail
from referral.permissions import Role
from tests.factories import AT, make_dealer, make_user, make_world, refused
from tests.tampering import do

CLOSED_AT = AT + timedelta(days=1)
IN_2025 = datetime(2025, 11, 20, 15, 0, tzinfo=UTC)
SOURCES = (ledger_open_items, quote_open_items)
LEVELS = (LevelStep("Bronze", 0), LevelStep("Silver", 50_000), LevelStep("Gold", 500_000))
CREDIT_2025 = 60_000
OTHER_2025 = 2_500


@pytest.fixture
def world(tx):
    """A dealer with 600.00 of sales credit and 25.00 of other purchases in 2025; the levels of 2026 are set."""
    made = make_world(tx)
    steps(made)
    adjust(made)
    buy(made)
    return made


def steps(world, levels=LEVELS, level_year=2026):
    said = {"actor": world.program, "at": AT, "reason": "Program letter", "source": ""}
    return set_levels(world.tx, level_year=level_year, levels=levels, **said)


def adjusting(world, **overrides):
    said = {
        "actor": world.program, "at": AT, "dealer_code": world.dealer.company_code, "amount_cents": CREDIT_2025,
        "effective_on": date(2025, 6, 2), "reason": "Carried over", "idempotency_key": "adjust",
    }  # fmt: skip
    return said | overrides


def adjust(world, **overrides):
    return adjust_credit(world.tx, **adjusting(world, **overrides))


def buying(world, **overrides):
    said = {
        "actor": world.program, "at": AT, "dealer_code": world.dealer.company_code, "amount_cents": OTHER_2025,
        "purchased_on": date(2025, 7, 1), "document": "INV-1", "reason": "Invoice", "idempotency_key": "buy",
    }  # fmt: skip
    return said | overrides


def buy(world, **overrides):
    return record_other_purchase(world.tx, **buying(world, **overrides))


def transferring(world, **overrides):
    other = make_dealer(world.tx, world.program)
    said = {
        "actor": world.program, "at": AT, "from_dealer_code": world.dealer.company_code,
        "to_dealer_code": other.company_code, "account_kind": AccountKind.SALES_CREDIT, "amount_cents": 100,
        "effective_on": date(2025, 8, 1), "reason": "Sold", "idempotency_key": "transfer",
    }  # fmt: skip
    return said | overrides


def starting(world, **overrides):
    said = {
        "actor": world.program, "at": CLOSED_AT, "program_year": 2025, "reason": "", "open_items": SOURCES,
    }  # fmt: skip
    return said | overrides


def closing(world, **overrides):
    said = {
        "actor": world.program, "at": CLOSED_AT, "dealer_id": world.dealer.company_id, "program_year": 2025,
    }  # fmt: skip
    return said | overrides


def close_whole_year(world, **overrides):
    """Close 2025 for every dealer there is."""
    said = {"actor": world.program, "at": CLOSED_AT, "program_year": 2025} | overrides
    start_closing(world.tx, **starting(world, **({"reason": "Known."} | said)))
    said.pop("reason", None)
    for dealer_id in dealers_to_close(world.tx, program_year=said["program_year"]):
        close_dealer_year(world.tx, dealer_id=dealer_id, **said)
    finished = finish_closing(world.tx, **said)
    assert finished.finished_at == said["at"]
    return finished


def sound(tx):
    return [*ledger_faults(tx), *closing_faults(tx), *quote_faults(tx)]


def order_of_2025(world):
    ref = world.approve(world.submit(at=IN_2025), at=IN_2025)
    return world.order(ref, at=IN_2025)


# closing one dealer -----------------------------------------------------------------------------


def test_a_closed_year_freezes_totals_level_and_heads_with_their_evidence(tx, world):
    start_closing(tx, **starting(world))
    row = close_dealer_year(tx, **closing(world))
    assert (row.sales_credit_cents, row.other_purchases_cents, row.total_cents) == (60_000, 2_500, 62_500)
    assert (row.level_year, row.level_version, row.level_name, row.threshold_cents) == (
        2026,
        1,
        "Silver",
        50_000,
    )
    assert (row.currency, row.closed_at, row.closed_by) == ("USD", CLOSED_AT, world.program.user_id)
    assert {kind: (head["sequence"], head["balance_cents"]) for kind, head in row.heads.items()} == {
        "sales_credit": (1, 60_000), "other_purchases": (1, 2_500), "issuance": (2, -62_500),
    }  # fmt: skip
    accounts = tx.scalars(sa.select(LedgerAccount).where(LedgerAccount.program_year == 2025)).all()
    assert {account.kind: account.digest for account in accounts} == {
        AccountKind(kind): head["digest"] for kind, head in row.heads.items()
    }
    assert {account.closed_at for account in accounts} == {CLOSED_AT}
    evidence = tx.scalars(sa.select(Evidence).where(Evidence.kind == EvidenceKind.YEAR_CLOSE)).one()
    assert (evidence.subject, evidence.content_digest) == ("2025", row.digest)
    assert finish_closing(tx, actor=world.program, at=CLOSED_AT, program_year=2025).finished_at == CLOSED_AT
    assert sound(tx) == []


def test_the_digest_covers_every_other_column_of_a_closed_year():
    columns = {column.name for column in YearClose.__table__.columns} - {"digest"}
    assert set(inspect.signature(year_close_digest).parameters) == columns


def test_each_person_of_the_dealer_is_told_once_in_the_same_transaction(tx, world):
    company = tx.get_one(Company, world.dealer.company_id)
    both = make_user(tx, company, Role.DEALER_ADMIN, Role.DEALER_APPROVER)
    start_closing(tx, **starting(world))
    before = set(tx.scalars(sa.select(OutgoingMail.id)))
    close_dealer_year(tx, **closing(world))
    mails = [mail for mail in tx.scalars(sa.select(OutgoingMail)) if mail.id not in before]
    assert sorted(mail.recipient for mail in mails) == sorted([world.dealer.email, both.email])
    assert "your level for 2026 is Silver" in mails[0].subject
    events = tx.scalars(sa.select(AuditEvent.event).where(AuditEvent.subject == "2025")).all()
    assert sorted(events) == ["year.closed", "year.closing_started"]


def test_closing_a_dealer_again_answers_with_what_was_frozen_and_adds_nothing(tx, world):
    start_closing(tx, **starting(world))
    first = close_dealer_year(tx, **closing(world))
    tx.commit()
    again = write(close_dealer_year, **closing(world, at=CLOSED_AT + timedelta(hours=1)))
    assert (again.digest, again.closed_at) == (first.digest, first.closed_at)
    assert len(tx.scalars(sa.select(Evidence).where(Evidence.kind == EvidenceKind.YEAR_CLOSE)).all()) == 1


def test_a_dealer_without_a_posting_is_closed_at_the_base_level(tx, world):
    idle = make_dealer(tx, world.program)
    start_closing(tx, **starting(world))
    row = close_dealer_year(tx, **closing(world, dealer_id=idle.company_id))
    assert (row.total_cents, row.level_name, {head["sequence"] for head in row.heads.values()}) == (
        0,
        "Bronze",
        {0},
    )
    assert sound(tx) == []


def test_an_account_is_never_closed_before_its_last_posting(tx, world):
    ahead = CLOSED_AT + timedelta(minutes=5)
    adjust(world, at=ahead, idempotency_key="clock ahead")
    start_closing(tx, **starting(world))
    assert close_dealer_year(tx, **closing(world)).closed_at == ahead
    assert sound(tx) == []


# who and when -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at", [datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2026, 1, 1, 4, 59, 59, tzinfo=UTC)]
)
def test_a_year_is_not_closed_before_its_last_day_has_passed_in_the_programs_zone(tx, world, at):
    refused(tx, "year_not_over", start_closing, **starting(world, at=at))


def test_a_year_is_closed_from_the_first_instant_of_the_next_one_on(tx, world):
    assert (
        start_closing(tx, **starting(world, at=datetime(2026, 1, 1, 5, 0, tzinfo=UTC))).program_year == 2025
    )


def test_a_year_is_closed_once(tx, world):
    start_closing(tx, **starting(world))
    refusal = refused(tx, "year_closed", start_closing, **starting(world))
    assert "begun" in refusal.message
    close_dealer_year(tx, **closing(world))
    finish_closing(tx, actor=world.program, at=CLOSED_AT, program_year=2025)
    refused(tx, "year_closed", start_closing, **starting(world))


def test_a_year_that_decides_levels_nobody_set_is_not_closed(tx):
    world = make_world(tx)
    refused(tx, "levels_missing", start_closing, **starting(world))


def test_a_year_that_cannot_be_is_not_closed(tx, world):
    refused(tx, "not_found", start_closing, **starting(world, program_year=1899))


@pytest.mark.parametrize("operation", [start_closing, close_dealer_year, finish_closing])
def test_only_a_program_admin_closes(tx, world, operation):
    auditor = make_user(tx, tx.get_one(Company, world.program.company_id), Role.PROGRAM_AUDITOR)
    wanted = inspect.signature(operation).parameters.keys() - {"tx"}
    for actor in (auditor, world.dealer, world.account):
        said = starting(world) | closing(world) | {"actor": actor}
        refused(tx, "forbidden", operation, **{name: said[name] for name in wanted})


def test_a_dealer_is_closed_only_after_the_closing_has_begun(tx, world):
    refused(tx, "not_found", close_dealer_year, **closing(world))
    refused(tx, "not_found", finish_closing, actor=world.program, at=CLOSED_AT, program_year=2025)
    start_closing(tx, **starting(world))
    refused(tx, "not_found", close_dealer_year, **closing(world, dealer_id=world.account.company_id))


def test_the_closing_is_finished_with_its_last_dealer_and_not_before(tx, world):
    make_dealer(tx, world.program)
    start_closing(tx, **starting(world))
    said = {"actor": world.program, "at": CLOSED_AT, "program_year": 2025}
    close_dealer_year(tx, **closing(world))
    assert finish_closing(tx, **said).finished_at is None
    (other,) = dealers_to_close(tx, program_year=2025)
    close_dealer_year(tx, **closing(world, dealer_id=other))
    assert finish_closing(tx, **said).finished_at == CLOSED_AT
    assert finish_closing(tx, **said | {"at": CLOSED_AT + timedelta(days=1)}).finished_at == CLOSED_AT


# open items -------------------------------------------------------------------------------------


def words(tx, at=CLOSED_AT, program_year=2025):
    return [item.words for item in open_items_of(tx, SOURCES, program_year=program_year, at=at)]


def test_open_items_are_refused_one_by_one_and_overridden_by_a_reason_that_is_kept(tx, world):
    _, ref = order_of_2025(world)
    said = f"{ref} of 20 Nov 2025: 21 units are neither shipped nor cancelled."
    assert words(tx) == [said]
    refusal = refused(tx, "open_items", start_closing, **starting(world))
    assert [problem.message for problem in refusal.problems] == [said]
    row = start_closing(tx, **starting(world, reason=" Delivery was confirmed by phone. "))
    assert (row.open_items, row.reason) == ([said], "Delivery was confirmed by phone.")


def test_a_wholly_shipped_order_is_not_open(tx, world):
    _, ref = order_of_2025(world)
    world.ship(ref)
    assert words(tx) == []


def test_what_an_order_has_left_to_ship_is_counted(tx, world):
    _, ref = order_of_2025(world)
    lights = world.line_ids(ref.replace("O-", "Q-"))[0]
    world.ship(ref, quantities={lights: 10})
    assert words(tx) == [f"{ref} of 20 Nov 2025: 11 units are neither shipped nor cancelled."]


def test_an_approval_of_the_year_that_can_still_be_ordered_is_open_while_it_is_valid(tx, world):
    at = datetime(2025, 12, 20, 15, 0, tzinfo=UTC)
    ref = world.approve(world.submit(at=at), at=at)
    said = f"{ref} revision 1 is approved and can be ordered until 19 Jan 2026; an order now counts for 2026."
    assert words(tx, at=datetime(2026, 1, 19, 15, 0, tzinfo=UTC)) == [said]
    assert words(tx, at=datetime(2026, 1, 20, 15, 0, tzinfo=UTC)) == []
    assert words(tx, at=datetime(2026, 1, 19, 15, 0, tzinfo=UTC), program_year=2026) == [
        "Program year 2025 is not closed yet."
    ]


def test_an_earlier_year_with_accounts_comes_first(tx, world):
    adjust(world, effective_on=date(2024, 3, 1), idempotency_key="2024")
    assert words(tx) == ["Program year 2024 is not closed yet."]
    steps(world, level_year=2025)
    close_whole_year(world, program_year=2024)
    assert words(tx) == []


def test_a_file_posted_in_part_is_open(tx, world):
    row = CreditImport(
        id=new_id(), sha256="0" * 64, kind=EntryKind.OTHER_PURCHASE, filename="2025.csv", row_count=5000,
        posted_count=1000, repeated_count=0, total_cents=1, reason="", started_by=None, started_at=AT, finished_at=None,
    )  # fmt: skip
    tx.add(row)
    tx.flush()
    assert words(tx) == ["The file 2025.csv is posted in part: 1,000 of 5,000 rows."]
    row.posted_count, row.finished_at = 5000, AT
    tx.flush()
    assert words(tx) == []


def test_a_dispute_of_the_year_is_open_until_it_is_answered(tx, world):
    entry = tx.scalars(sa.select(LedgerEntry).where(LedgerEntry.kind == EntryKind.ADJUSTMENT)).one()
    of_dispute = {"dealer_id": entry.dealer_id, "number": 1}
    tx.add(
        Dispute(
            **of_dispute, idempotency_key="d", entry_id=entry.id, claimed_cents=None, reason="Too little",
            opened_by=world.dealer.user_id, opened_at=AT, opened_on=AT.date(), answer_due_on=AT.date(),
        )
    )  # fmt: skip
    tx.flush()
    code = world.dealer.company_code
    assert words(tx) == [f"Dispute D-{code}-1 of 4 May 2026 is not answered."]
    assert words(tx, program_year=2024) == []
    tx.add(
        DisputeAnswer(
            **of_dispute, outcome=DisputeOutcome.DISMISSED, words="No", entry_id=None,
            answered_by=world.program.user_id, answered_at=AT, answered_on=AT.date(),
        )
    )  # fmt: skip
    tx.flush()
    assert words(tx) == []


# after closing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "said", "field"),
    [
        (adjust_credit, adjusting, "effective_on"),
        (record_other_purchase, buying, "purchased_on"),
        (transfer_credit, transferring, "effective_on"),
    ],
)
def test_nothing_is_posted_by_hand_to_a_closed_year(tx, world, operation, said, field):
    close_whole_year(world)
    refusal = refused(tx, "year_closed", operation, **said(world, at=CLOSED_AT, idempotency_key="late"))
    assert refusal.field == field


def test_a_posting_of_before_is_answered_again_though_its_year_is_closed(tx, world):
    close_whole_year(world)
    tx.commit()
    again = write(adjust_credit, **adjusting(world))
    assert (again.is_new, again.amount_cents) == (False, CREDIT_2025)


def test_the_database_refuses_a_posting_to_a_closed_account(tx, world):
    close_whole_year(world)
    entry = tx.scalars(sa.select(LedgerEntry).where(LedgerEntry.kind == EntryKind.ADJUSTMENT)).one()
    row = {column.name: getattr(entry, column.name) for column in LedgerEntry.__table__.columns}
    row |= {"id": new_id(), "idempotency_key": "forged", "sequence": 2, "issuance_sequence": 3}
    row |= {"balance_cents": 2 * CREDIT_2025, "issuance_balance_cents": -2 * CREDIT_2025 - OTHER_2025}
    with pytest.raises(sa.exc.DBAPIError, match="not_next"):
        tx.execute(sa.insert(LedgerEntry.__table__).values(**row))


def test_taking_back_credit_of_an_open_year_counts_in_that_year(tx, world):
    _, ref = order_of_2025(world)
    assert posting_year(tx, dealer_id=world.dealer.company_id, program_year=2025, at=CLOSED_AT) == 2025
    cancel(world, ref)
    entry = tx.scalars(sa.select(LedgerEntry).where(LedgerEntry.kind == EntryKind.CANCELLATION)).one()
    assert (entry.program_year, entry.memo) == (2025, "Not wanted")
    assert sound(tx) == []


def cancel(world, ref):
    said = {"actor": world.account, "at": CLOSED_AT, "quantities": None, "reason": "Not wanted"}
    return cancel_order(world.tx, ref=ref, idempotency_key="cancel", **said)


@pytest.mark.parametrize("kind", [EntryKind.CANCELLATION, EntryKind.RETURN])
def test_taking_back_credit_of_a_closed_year_counts_now_and_names_the_old_one(tx, world, kind):
    order, ref = order_of_2025(world)
    if kind is EntryKind.RETURN:
        world.ship(ref)
    close_whole_year(world)
    frozen = tx.scalars(sa.select(YearClose)).one().total_cents
    assert posting_year(tx, dealer_id=world.dealer.company_id, program_year=2025, at=CLOSED_AT) == 2026
    if kind is EntryKind.RETURN:
        world.take_back(ref, at=CLOSED_AT)
    else:
        cancel(world, ref)
    entry = tx.scalars(sa.select(LedgerEntry).where(LedgerEntry.kind == kind)).one()
    assert (entry.program_year, entry.amount_cents, entry.effective_on) == (
        2026,
        -order.credit_cents,
        CLOSED_AT.date(),
    )
    assert entry.related_entry_id == order.entry_id
    assert entry.memo.startswith("Credit of 2025, which is closed.")
    of_dealer = {"dealer_id": world.dealer.company_id}
    assert credit_year(tx, program_year=2025, **of_dealer).total_cents == frozen
    assert credit_year(tx, program_year=2026, **of_dealer).total_cents == -order.credit_cents
    assert sound(tx) == []


def test_a_dealer_that_joins_after_the_closing_is_no_part_of_the_year(tx, world):
    start_closing(tx, **starting(world))
    late = make_dealer(tx, world.program, at=CLOSED_AT + timedelta(minutes=1))
    refused(
        tx,
        "year_closed",
        adjust_credit,
        **adjusting(world, dealer_code=late.company_code, idempotency_key="late"),
    )
    assert list(dealers_to_close(tx, program_year=2025)) == [world.dealer.company_id]
    refused(tx, "year_closed", close_dealer_year, **closing(world, dealer_id=late.company_id))
    close_dealer_year(tx, **closing(world))
    assert finish_closing(tx, actor=world.program, at=CLOSED_AT, program_year=2025).finished_at == CLOSED_AT
    refused(
        tx,
        "year_closed",
        adjust_credit,
        **adjusting(world, dealer_code=late.company_code, idempotency_key="late"),
    )
    shown = year_summary(tx, viewer=world.program, program_year=2025)
    assert [row.dealer_id for row in shown] == [world.dealer.company_id]
    assert len(year_summary(tx, viewer=world.program, program_year=2026)) == 2
    assert sound(tx) == []


# frozen levels ----------------------------------------------------------------------------------


def shown_levels(tx, world):
    """The level of 2025 as every read shows it."""
    year = credit_year(tx, dealer_id=world.dealer.company_id, program_year=2025)
    page = balances_page(tx, viewer=world.program, at=CLOSED_AT, year=2025)
    (summary,) = year_summary(tx, viewer=world.program, program_year=2025)
    statement = statement_page(
        tx, viewer=world.dealer, dealer_code=world.dealer.company_code, program_year=2025
    )
    return [each.standing.level.name for each in (year, page.rows[0].year, summary.year, statement.year)]


def test_later_thresholds_touch_no_frozen_level(tx, world):
    steps(world, (LevelStep("Bronze", 0), LevelStep("Silver", 60_000), LevelStep("Gold", 500_000)))
    close_whole_year(world)
    steps(world, (LevelStep("Low", 0), LevelStep("High", 1)))
    assert shown_levels(tx, world) == ["Silver"] * 4
    year = credit_year(tx, dealer_id=world.dealer.company_id, program_year=2025)
    assert year.is_closed
    assert (year.closed.level_version, year.closed.level, year.closed.closed_at) == (
        2, LevelStep("Silver", 60_000), CLOSED_AT,
    )  # fmt: skip
    assert [level.name for level in year.levels] == ["Bronze", "Silver", "Gold"]
    assert (year.standing.next_level.name, year.standing.missing_cents) == ("Gold", 437_500)
    assert sound(tx) == []


def test_levels_set_while_a_year_is_being_closed_decide_nothing_of_it(tx, world):
    start_closing(tx, **starting(world))
    steps(world, (LevelStep("Low", 0), LevelStep("High", 1)))
    assert shown_levels(tx, world) == ["Silver"] * 4
    assert close_dealer_year(tx, **closing(world)).level_name == "Silver"
    assert shown_levels(tx, world) == ["Silver"] * 4


# many, and interrupted --------------------------------------------------------------------------


class KilledError(Exception):
    """The process ended here."""


def test_a_closing_killed_anywhere_loses_nothing_and_a_second_run_goes_on(tx, world):
    for _ in range(4):
        make_dealer(tx, world.program)
    tx.commit()
    write(start_closing, **starting(world))

    def killed(tx, **said):
        close_dealer_year(tx, **said)
        raise KilledError

    def close_next(operation):
        for dealer_id in read(dealers_to_close, program_year=2025, limit=1):
            write(operation, **closing(world, dealer_id=dealer_id))

    for done in range(5):
        assert tx.scalar(sa.select(sa.func.count()).select_from(YearClose)) == done
        tx.rollback()
        with pytest.raises(KilledError):
            close_next(killed)
        assert write(finish_closing, actor=world.program, at=CLOSED_AT, program_year=2025).finished_at is None
        close_next(close_dealer_year)
    assert (
        write(finish_closing, actor=world.program, at=CLOSED_AT, program_year=2025).finished_at == CLOSED_AT
    )
    assert sound(tx) == []


ROUNDS = 20


def by_turns(first, second):
    """Return the calls one of the other after the other, for threads to take."""
    return [each for pair in zip(first, second, strict=True) for each in pair]


def test_closing_while_posting_leaves_no_entry_after_the_closing(tx, world, at_once):
    dealers = [world.dealer, *(make_dealer(tx, world.program) for _ in range(ROUNDS - 1))]
    start_closing(tx, **starting(world))
    for number, dealer in enumerate(dealers):
        posts = [
            (
                adjust_credit,
                adjusting(world, dealer_code=dealer.company_code, idempotency_key=f"{number}.{each}"),
            )
            for each in range(4)
        ]
        waiting = by_turns(posts, [(close_dealer_year, closing(world, dealer_id=dealer.company_id))] * 4)
        answers = at_once(lambda waiting=waiting: _write_next(waiting), times=len(waiting))
        refusals = [answer for answer in answers if isinstance(answer, BaseException)]
        assert {getattr(each, "code", each) for each in refusals} <= {"year_closed"}
        row = tx.scalars(sa.select(YearClose).where(YearClose.dealer_id == dealer.company_id)).one()
        entries = tx.scalars(
            sa.select(LedgerEntry).where(
                LedgerEntry.dealer_id == dealer.company_id, LedgerEntry.program_year == 2025
            )
        ).all()
        assert row.heads["issuance"]["sequence"] == len(entries)
        assert row.total_cents == sum(entry.amount_cents for entry in entries)
    finish_closing(tx, actor=world.program, at=CLOSED_AT, program_year=2025)
    assert sound(tx) == []


def _write_next(waiting):
    operation, said = waiting.pop()
    return write(operation, **said)


def test_starting_twenty_times_at_once_begins_one_closing(tx, world, at_once):
    answers = at_once(lambda: write(start_closing, **starting(world)), times=ROUNDS)
    assert [isinstance(answer, YearClosing) for answer in answers].count(True) == 1
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"year_closed"}


def test_two_jobs_at_once_close_every_dealer_once(tx, world, at_once):
    for _ in range(9):
        make_dealer(tx, world.program)
    start_closing(tx, **starting(world))

    def job():
        for dealer_id in read(dealers_to_close, program_year=2025):
            write(close_dealer_year, **closing(world, dealer_id=dealer_id))
        return write(finish_closing, actor=world.program, at=CLOSED_AT, program_year=2025).finished_at

    answers = at_once(job, times=4)
    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    assert CLOSED_AT in answers
    assert len(tx.scalars(sa.select(YearClose)).all()) == 10
    assert len(tx.scalars(sa.select(Evidence).where(Evidence.kind == EvidenceKind.YEAR_CLOSE)).all()) == 10
    assert sound(tx) == []


# verification -----------------------------------------------------------------------------------

OF_CLOSE = sa.update(YearClose)
TAMPERED = {
    "totals": OF_CLOSE.values(sales_credit_cents=1, total_cents=1 + OTHER_2025),
    "level Gold": OF_CLOSE.values(level_name="Gold", threshold_cents=500_000),
    "digest": OF_CLOSE.values(dealer_name="Another"),
    "evidence": sa.delete(Evidence).where(Evidence.kind == EvidenceKind.YEAR_CLOSE),
    "heads": OF_CLOSE.values(heads={}),
    "open, but": sa.update(LedgerAccount).where(LedgerAccount.program_year == 2025).values(closed_at=None),
    "not closed then": sa.update(LedgerAccount)
    .where(LedgerAccount.program_year == 2025)
    .values(closed_at=AT),
    "is missing": sa.delete(YearClose),
}


@pytest.mark.parametrize("says", TAMPERED)
def test_verification_finds_a_tampered_closed_year(tx, world, says):
    close_whole_year(world)
    assert list(closing_faults(tx)) == []
    do(tx, TAMPERED[says])
    assert any(says in fault for fault in closing_faults(tx)), list(closing_faults(tx))


def test_verification_finds_an_entry_slipped_into_a_closed_year(tx, world):
    close_whole_year(world)
    do(tx, sa.update(LedgerEntry).where(LedgerEntry.kind == EntryKind.ADJUSTMENT).values(amount_cents=7))
    assert any("totals" in fault for fault in closing_faults(tx))
