"""Price lists: versions by date, pinned by revisions (program rules, section 4)."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from quotes.models.price_lists import PriceList
from quotes.operations.price_lists import publish_price_list
from quotes.operations.quotes import save_draft, start_quote
from quotes.queries.price_lists import ItemChange, diff_price_list, price_list_on, search_items
from referral.permissions import Role
from tests.factories import (
    AT,
    ITEMS,
    SINCE,
    make_company,
    make_price_list,
    make_program,
    make_user,
    make_world,
    refused,
)

DEARER = tuple(replace(item, list_price_cents=item.list_price_cents + 100) for item in ITEMS)


def said(actor, **overrides):
    return {
        "actor": actor,
        "at": AT,
        "items": ITEMS,
        "valid_from": date(2026, 6, 1),
        "source": "list.csv",
        "source_sha256": "1" * 64,
    } | overrides


def test_a_version_is_valid_from_its_day_until_the_day_before_the_next(tx):
    program = make_program(tx)
    make_price_list(tx, program)
    make_price_list(tx, program, valid_from=date(2026, 6, 1), items=DEARER)
    versions = [price_list_on(tx, day).version for day in (SINCE, date(2026, 5, 31), date(2026, 6, 1))]
    assert versions == [1, 1, 2]


def test_two_versions_do_not_start_on_one_day(tx):
    program = make_program(tx)
    make_price_list(tx, program, valid_from=date(2026, 6, 1))
    refusal = refused(tx, "price_list_date_taken", publish_price_list, **said(program, items=DEARER))
    assert refusal.field == "valid_from"


@pytest.mark.parametrize("items", [(), (ITEMS[0], ITEMS[0])])
def test_a_list_has_items_each_once(tx, items):
    refused(tx, "invalid_input", publish_price_list, **said(make_program(tx), items=items))


@pytest.mark.parametrize("role", [Role.PROGRAM_AUDITOR, Role.ACCOUNT_ADMIN, Role.DEALER_APPROVER])
def test_only_the_programs_admins_publish_prices(tx, role):
    actor = make_user(tx, make_company(tx, role.company_kind), role)
    refused(tx, "forbidden", publish_price_list, **said(actor))


def test_without_a_list_of_the_day_nothing_is_quoted(tx):
    world = make_world(tx)
    _, ref = start_quote(tx, actor=world.account, at=AT, referral_ref=world.refer())
    before_the_first = datetime(2019, 12, 31, 12, 0, tzinfo=UTC)
    refused(
        tx,
        "price_list_missing",
        save_draft,
        actor=world.account,
        at=before_the_first,
        ref=ref,
        revision_number=1,
        draft_version=None,
        account_number="",
        note="",
        lines=[],
        services=[],
        has_no_services=False,
    )


@pytest.mark.parametrize("statement", ["UPDATE price_item SET list_price_cents = 1", "DELETE FROM price_list", "UPDATE price_list SET valid_from = '2020-02-02'"])  # fmt: skip
def test_a_published_list_is_never_changed_in_the_database_either(tx, statement):
    make_price_list(tx, make_program(tx))
    tx.commit()
    with pytest.raises(DBAPIError, match="append_only"):
        tx.execute(sa.text(statement))
    tx.rollback()
    assert tx.scalars(sa.select(PriceList.valid_from)).all() == [SINCE]


def test_a_new_list_is_compared_item_by_item_with_the_version_before(tx):
    make_price_list(tx, make_program(tx))
    new = replace(ITEMS[0], model_number="NEW")
    items = [DEARER[0], replace(ITEMS[1], description="Trim"), ITEMS[2], new]
    diff = diff_price_list(tx, items={item.model_number: item for item in items}, valid_from=date(2026, 6, 1))
    assert (diff.before_version, diff.same) == (1, 1)
    assert {change.model_number: change.change for change in diff.changes} == {
        "D3-LIGHT": ItemChange.PRICE,
        "D3-TRIM": ItemChange.WORDS,
        "NEW": ItemChange.NEW,
        "PROC-1": ItemChange.RETIRED,
    }


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("d3-light", ["D3-LIGHT"]),
        ("ROUND trim", ["D3-TRIM"]),
        ("d3", ["D3-LIGHT", "D3-TRIM"]),
        ("proc-1", ["PROC-1"]),
        ("%", []),
        ("_", []),
        ("' OR 1=1 --", []),
        ("", []),
        ("x" * 10_000, []),
        ("💡", []),
    ],
)
def test_items_are_found_by_model_number_or_words(tx, words, found):
    make_price_list(tx, make_program(tx))
    assert [item.model_number for item in search_items(tx, at=AT, words=words)] == found
