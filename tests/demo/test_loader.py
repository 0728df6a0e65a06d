"""The demo's story, loaded through the house's own operations, on any day."""

import json
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from demo.loader import FOLDER, SIGN_INS, email_of, load_demo, reissue_passwords
from ledger.models.accounts import LedgerEntry
from ledger.models.years import YearClose, YearClosing
from ledger.queries.levels import credit_year
from ledger.queries.verification import ledger_faults
from ledger.queries.year_verification import closing_faults
from ledger.states import EntryKind
from quotes.models.orders import Cancellation, Order
from quotes.models.quotes import Quote, Revision
from quotes.models.returns import OrderReturn
from quotes.queries.content import content_lines, content_services
from quotes.queries.home import home_page
from quotes.queries.verification import quote_faults
from quotes.queries.work import work_rows
from quotes.rules.content import shown_state, totals
from quotes.states import RevisionState
from referral.db import read, write
from referral.models import Company, Referral, User
from referral.money import format_plain, parse_cents
from referral.permissions import CompanyKind
from referral.queries.people import viewer_of
from referral.queries.settings import creditable_categories, is_demo
from tests.factories import make_program, refused
from warranty.queries.verification import warranty_faults
from wsgi import CannotStart, create_app

STORY = json.loads((FOLDER / "story.json").read_text(encoding="utf-8"))
EXPECTED = STORY["expected"]
ON = datetime(2026, 12, 1, 17, 0, tzinfo=UTC)
DAYS = [ON, datetime(2027, 1, 4, 17, 0, tzinfo=UTC), datetime(2028, 2, 29, 17, 0, tzinfo=UTC)]
PASSWORDS = {person: f"password of {person}" for _, person in SIGN_INS}


def loading(at=ON):
    return {
        "at": at,
        "zone": "America/New_York",
        "hash_password": lambda text: text,
        "passwords": PASSWORDS,
    }


def dealers(tx):
    return {row.code: row for row in tx.scalars(sa.select(Company).where(Company.is_dealer))}


def relative_credit(tx):
    """Return what orders of the days before loading earned, by dealer and year."""
    earned = {}
    for row in EXPECTED["relative_credit"]:
        amount = parse_cents(row["amount"])
        order = tx.scalars(
            sa.select(Order).where(
                Order.dealer_id == dealers(tx)[row["dealer"]].id, Order.credit_cents == amount
            )
        ).one()
        earned[row["dealer"], order.program_year] = amount
    return earned


@pytest.mark.parametrize("at", DAYS, ids=lambda at: at.date().isoformat())
def test_the_story_comes_to_its_expected_totals_and_open_work_on_whatever_day_it_is_loaded(tx, at):
    write(load_demo, **loading(at))
    assert_open_work(tx, at)
    relative = relative_credit(tx)
    assert len(relative) == len(EXPECTED["relative_credit"])
    for row in EXPECTED["totals"]:
        company, year = dealers(tx)[row["dealer"]], row["credit_year"]
        extra = relative.pop((row["dealer"], year), 0)
        seen = credit_year(tx, dealer_id=company.id, program_year=year)
        said = (seen.sales_credit_cents - extra, seen.other_purchases_cents, seen.total_cents - extra)
        assert tuple(map(format_plain, said)) == (
            row["referral_credit"],
            row["other_purchases"],
            row["total"],
        ), row
        assert seen.level_year == row["level_year"]
        if not extra:
            assert seen.standing.level.name == row["level"]
            following = seen.standing.next_level
            assert (following.name if following else None) == row["next_level"]
            assert row["missing"] in {None, format_plain(seen.standing.missing_cents)}
    for (code, year), amount in relative.items():
        seen = credit_year(tx, dealer_id=dealers(tx)[code].id, program_year=year)
        assert (seen.total_cents, seen.standing.level is not None) == (amount, True)
    assert [*ledger_faults(tx), *closing_faults(tx), *quote_faults(tx), *warranty_faults(tx)] == []


def assert_posted_and_taken_back(tx):
    for row in EXPECTED["totals"]:
        sums = {
            kind: sum(
                tx.scalars(
                    sa.select(LedgerEntry.amount_cents)
                    .join(
                        Order,
                        sa.and_(
                            Order.dealer_id == LedgerEntry.dealer_id,
                            Order.entry_id == sa.func.coalesce(LedgerEntry.related_entry_id, LedgerEntry.id),
                        ),
                    )
                    .where(
                        LedgerEntry.kind == kind,
                        LedgerEntry.dealer_id == dealers(tx)[row["dealer"]].id,
                        Order.program_year == row["credit_year"],
                    )
                )
            )
            for kind in (EntryKind.ORDER, EntryKind.CANCELLATION, EntryKind.RETURN)
        }
        extra = relative_credit(tx).get((row["dealer"], row["credit_year"]), 0)
        assert format_plain(sums[EntryKind.ORDER] - extra) == row["credit_posted"]
        assert format_plain(sums[EntryKind.CANCELLATION] + sums[EntryKind.RETURN]) == row["reversals"]


def assert_open_work(tx, at):
    for row in EXPECTED["open_now"]:
        company = dealers(tx)[row["dealer"]]
        live = work_rows(tx, at.date(), [Revision.dealer_id == company.id])
        sums = {
            state: sum(work.credit_cents for work in live if work.state == state)
            for state in ("approved", "submitted")
        }
        assert (format_plain(sums["approved"]), format_plain(sums["submitted"])) == (
            row["committed"],
            row["forecast"],
        ), row


def quotes_of(tx):
    """Return every revision as (state, on what list, sums), by project of the story and number."""
    projects = {row["project"]: row["key"] for row in STORY["referrals"]}
    found = tx.execute(
        sa.select(Referral.project_name, Quote, Revision)
        .join(Quote, sa.and_(Quote.dealer_id == Referral.dealer_id, Quote.referral_id == Referral.id))
        .join(Revision, sa.and_(Revision.dealer_id == Quote.dealer_id, Revision.quote_id == Quote.id))
    ).all()
    return {(projects[name], revision.number): (quote, revision) for name, quote, revision in found}


def assert_quotes(tx):
    found = quotes_of(tx)
    for row in EXPECTED["quotes"]:
        quote, revision = found.pop((row["referral"], row["revision"]))
        lines = content_lines(tx, quote, revision.number)
        services = content_services(tx, quote, revision.number)
        sums = totals(lines, services, creditable_categories(tx, 2026))
        assert (
            revision.state is RevisionState.DRAFT
            or {
                "products": format_plain(sums.products_cents),
                "creditable": format_plain(sums.creditable_cents),
                "not_creditable": format_plain(sums.not_creditable_cents),
                "services": format_plain(sums.services_cents),
            }.items()
            <= row.items()
        )
        state = shown_state(revision.state, revision.expires_on, date(2026, 12, 1))
        # The story calls an approved revision ordered once nothing or a part of it is left.
        assert state == row["state"] or (
            row["state"] in {"ordered", "partly_ordered"} and state in {"approved", "expired"}
        ), row
    assert not found


def test_every_quote_and_order_of_the_story_is_as_expected_and_so_is_what_it_earned(tx):
    write(load_demo, **loading())
    assert_quotes(tx)
    assert_posted_and_taken_back(tx)
    found = quotes_of(tx)
    for row in EXPECTED["orders"]:
        quote = found[row["referral"], 1][0]
        order = tx.scalars(
            sa.select(Order).where(
                Order.dealer_id == quote.dealer_id,
                Order.quote_id == quote.id,
                Order.idempotency_key == f"demo-{row['referral']}-{row['order']}",
            )
        ).one()
        cancelled = sum(
            tx.scalars(
                sa.select(Cancellation.credit_cents).where(
                    Cancellation.dealer_id == order.dealer_id, Cancellation.order_id == order.id
                )
            )
        )
        assert (format_plain(order.credit_cents), format_plain(abs(cancelled))) == (
            row["credit"],
            row["cancelled"].lstrip("-"),
        )
        returned = sum(
            tx.scalars(
                sa.select(OrderReturn.credit_cents).where(
                    OrderReturn.dealer_id == order.dealer_id, OrderReturn.order_id == order.id
                )
            )
        )
        assert format_plain(returned) == row.get("returned", "0.00")
        if "on" in row:
            assert (order.entered_on.isoformat(), order.program_year) == (row["on"], row["credit_year"])


def test_the_story_closes_a_year_with_a_reversal_on_either_side_of_it(tx):
    write(load_demo, **loading())
    closing = tx.scalars(sa.select(YearClosing)).one()
    assert (closing.program_year, len(closing.open_items), closing.finished_at is None) == (2025, 1, False)
    closes = tx.scalars(sa.select(YearClose)).all()
    assert {row.dealer_code: row.level_name for row in closes} == {
        row["dealer"]: row["level"] for row in EXPECTED["totals"] if row["credit_year"] == 2025
    }
    found = tx.scalars(
        sa.select(LedgerEntry)
        .where(
            LedgerEntry.kind == EntryKind.CANCELLATION,
            LedgerEntry.posted_at < datetime(2026, 4, 1, tzinfo=UTC),
        )
        .order_by(LedgerEntry.posted_at)
    ).all()
    assert [(entry.program_year, entry.posted_at < closing.started_at) for entry in found] == [
        (2025, True),
        (2026, False),
    ]
    assert found[1].memo.startswith("Credit of 2025, which is closed.")


def test_a_database_with_the_demo_takes_no_second_one_and_no_production_start(tx, database):
    write(load_demo, **loading())
    assert read(is_demo)
    refused(tx, "not_pending", load_demo, **loading())
    assert_no_production_start(database)


def test_the_demo_goes_into_an_empty_database_only(tx):
    make_program(tx)
    refused(tx, "not_pending", load_demo, **loading())
    assert not read(is_demo)


def test_each_kind_of_user_signs_in_nobody_else_can_and_one_dealer_is_just_short_of_a_level(tx):
    write(load_demo, **loading())
    standing = credit_year(tx, dealer_id=dealers(tx)["JUNIPER"].id, program_year=2026).standing
    assert 0 < standing.missing_cents < 200_000
    users = {user.email: user for user in tx.scalars(sa.select(User))}
    for _, person in SIGN_INS:
        user = users.pop(email_of(person))
        assert user.password_hash == PASSWORDS[person]
        viewer = viewer_of(tx, user.id, at=ON)
        home = home_page(tx, viewer=viewer, at=ON)
        assert (home.dealer is not None) is viewer.acts_as(CompanyKind.DEALER)
    assert {user.password_hash for user in users.values()} == {None}
    tx.commit()
    write(reissue_passwords, hash_password=str.upper, passwords=PASSWORDS)
    tx.expire_all()
    person = SIGN_INS[0][1]
    hashes = tx.scalars(sa.select(User.password_hash).where(User.email == email_of(person))).all()
    assert hashes == [PASSWORDS[person].upper()]


def test_passwords_are_reissued_in_a_demo_only(tx):
    refused(tx, "not_found", reissue_passwords, hash_password=str.upper, passwords=PASSWORDS)


def assert_no_production_start(database):
    settings = {
        "SECRET_KEY": "x" * 40,
        "SQLALCHEMY_DATABASE_URI": database.uri,
        "SQLALCHEMY_ENGINE_OPTIONS": {"poolclass": NullPool},
        "TRUSTED_HOSTS": ["ledger.example"],
        "DEMO": False,
    }
    with pytest.raises(CannotStart, match="demo"):
        create_app(settings)
