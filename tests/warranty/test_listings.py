"""Lists of installed sources: what they find, what they cost, and that nobody sees another's."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO

import openpyxl
import pytest
import sqlalchemy as sa

from referral.ids import new_id
from referral.permissions import Role
from referral.queries.settings import today
from tests.factories import AT, World, make_account, make_dealer, make_world, user_of
from tests.quotes.test_api import token_of
from warranty.models.sources import InstalledSource
from warranty.models.terms import WarrantyTerm
from warranty.operations.events import identify_source
from warranty.queries.ending import ending_keys, ending_page
from warranty.queries.listings import SourceFilter, source_list, sources_page
from warranty.queries.undetermined import families_without_terms, projects_lacking, undetermined_sources
from warranty.states import Lacking, StartRule

ASKED = SourceFilter()


def add_terms(tx, **overrides):
    """Terms of family D3 since 2020: 12 months from shipping, 30 days to report."""
    said = {
        "id": new_id(), "family": "D3", "family_key": "d3", "valid_from": date(2020, 1, 1), "months": 12,
        "start_rule": StartRule.SHIPPED, "cap_days": None, "covers_parts": True, "covers_labor": False,
        "report_days": 30, "replacement_days": 0, "source": "Sheet", "reason": "First", "set_by": None,
        "set_at": AT - timedelta(days=400),
    }  # fmt: skip
    tx.add(WarrantyTerm(**(said | overrides)))
    tx.flush()


def shipped(world, **overrides):
    """An order of ten lights and trims that shipped on the day of AT."""
    order, ref = world.order(**overrides)
    world.ship(ref)
    return order, ref


def other_world(world, number):
    """Another dealer with another account in the same program."""
    tx = world.tx
    dealer = make_dealer(tx, world.program, number=number)
    return World(tx, world.program, dealer, make_account(tx, world.program), number)


def models(rows):
    return [row.model_number for row in rows]


def test_each_side_lists_its_own_sources_and_the_program_all(tx):
    world = make_world(tx)
    other = other_world(world, "0077-1")
    shipped(world)
    shipped(other)
    for viewer, count in ((world.dealer, 2), (world.account, 2), (other.dealer, 2), (world.program, 4)):
        found = source_list(tx, viewer=viewer, at=AT, asked=ASKED)
        assert (len(found.rows), found.totals.sources, found.totals.units) == (count, count, count * 10)
    assert {row.dealer_name for row in sources_page(tx, viewer=world.account, at=AT, asked=ASKED).rows} == {
        world.dealer.company_name
    }


def test_filters_narrow_by_project_order_model_family_serial_room_standing_and_last_day(tx):
    world = make_world(tx)
    add_terms(tx)
    _, order_ref = shipped(world)
    _, other_ref = shipped(world)
    row = source_list(tx, viewer=world.dealer, at=AT, asked=SourceFilter(order_ref=other_ref)).rows[0]
    world.take_back(other_ref, quantities=None)
    tx.flush()
    end = date(2027, 5, 3)

    def count(**said):
        return source_list(tx, viewer=world.dealer, at=AT, asked=SourceFilter(**said)).totals.sources

    assert count() == 4
    assert count(order_ref=order_ref) == 2
    assert count(referral_ref=row.referral_ref) == 2
    assert count(project=row.project_name) == 2
    assert count(model="LIGHT") == 2
    assert count(family="d3") == 4
    assert count(room="kitch") == 4
    assert count(room="attic") == 0
    assert count(state="in_place") == 2
    assert count(state="voided") == 2
    assert count(company=world.account.company_code) == 4
    assert count(since=end, until=end) == 2
    assert count(since=end + timedelta(days=1)) == 0
    assert count(lacking="terms") == 0


def test_a_serial_number_is_found_however_it_is_typed(tx):
    world = make_world(tx)
    order, ref = world.order()
    world.ship(ref, quantities={order_line(tx, order, "D3-LIGHT"): 1})
    source = source_list(tx, viewer=world.account, at=AT, asked=ASKED).rows[0]
    identify_source(
        tx, actor=world.account, at=AT, ref=source.ref, event_count=None, serial="ab 12-9", happened_on=None
    )
    tx.flush()
    found = source_list(tx, viewer=world.dealer, at=AT, asked=SourceFilter(serial="AB12"))
    assert [row.ref for row in found.rows] == [source.ref]


def order_line(tx, order, model):
    return next(
        line_id
        for line_id, number in tx.execute(
            sa.text(
                "SELECT o.line_id, r.model_number FROM order_line o JOIN revision_line r ON r.line_id = o.line_id"
            ).columns(line_id=sa.Uuid(), model_number=sa.String())
        )
        if number == model
    )


def many(tx, world, count, per_day=1):
    """Copies of a shipped light, one last day each; returns the first last day."""
    shipped(world)
    table = InstalledSource.__table__
    row = tx.execute(
        sa.select(table).where(
            table.c.dealer_id == world.dealer.company_id, table.c.model_number == "D3-LIGHT"
        )
    ).one()
    first = today(tx, AT)
    tx.execute(
        sa.insert(table),
        [
            row._asdict()
            | {
                "id": new_id(),
                "number": 1000 + number,
                "ends_on": first + timedelta(days=number // per_day),
                "lacking": None,
            }
            for number in range(count)
        ],
    )
    return first


def test_pages_by_key_hold_every_source_once(tx):
    world = make_world(tx)
    many(tx, world, 23, per_day=4)
    refs, after = [], None
    while True:
        page = sources_page(tx, viewer=world.program, at=AT, asked=ASKED, after=after, limit=5)
        refs += [row.ref for row in page.rows]
        after = page.after
        if after is None:
            break
    assert len(refs) == len(set(refs)) == 25
    ends, after = [], None
    while True:
        ending = ending_page(tx, viewer=world.account, at=AT, days=30, asked=ASKED, after=after, limit=5)
        ends += [(row.ends_on, row.ref) for row in ending.rows]
        after = ending.after
        if after is None:
            break
    assert len(set(ends)) == 23
    assert [day for day, _ in ends] == sorted(day for day, _ in ends)


@pytest.mark.parametrize(("days", "count"), [(30, 31), (60, 61), (90, 91), (180, 181)])
def test_what_ends_in_a_window_counts_its_last_day_and_today(tx, days, count):
    world = make_world(tx)
    first = many(tx, world, 200)
    page = ending_page(tx, viewer=world.dealer, at=AT, days=days, asked=ASKED, limit=200)
    assert (page.first_on, page.last_on) == (first, first + timedelta(days=days))
    assert len(page.rows) == count
    assert (page.rows[0].days_left, page.rows[-1].days_left) == (0, days)


def plan_of(tx, statement):
    """How the database would answer a statement."""
    compiled = statement.compile(tx.connection(), compile_kwargs={"render_postcompile": True})
    prefix = "EXPLAIN QUERY PLAN " if tx.get_bind().dialect.name == "sqlite" else "EXPLAIN "
    rows = tx.connection().exec_driver_sql(
        prefix + str(compiled),
        compiled.construct_params()
        if compiled.positional is False
        else tuple(_bound(compiled, name) for name in compiled.positiontup),
    )
    return "\n".join(str(row[-1]) for row in rows)


def _bound(compiled, name):
    value = compiled.params[name]
    process = compiled._bind_processors.get(name)
    return process(value) if process else value


@pytest.fixture
def crowd(tx):
    """Three dealers with a thousand sources each; two accounts."""
    world = make_world(tx)
    worlds = [world, other_world(world, "0077-1"), other_world(world, "0077-2")]
    for each in worlds:
        many(tx, each, 1000)
    if tx.get_bind().dialect.name == "postgresql":
        tx.execute(sa.text("ANALYZE installed_source"))
    return worlds


def walks_an_index(plan):
    """No table is read as a whole, and nothing is sorted."""
    assert "installed_source" in plan
    for word in ("Seq Scan on installed_source", "SCAN installed_source\n", "Sort", "TEMP B-TREE"):
        assert word not in plan + "\n", plan
    assert "ix_installed_source" in plan, plan


def test_what_ends_soon_is_read_along_an_index_for_every_viewer(tx, crowd):
    world = crowd[0]
    first = today(tx, AT)
    for viewer in (world.dealer, world.account, world.program):
        for place in (None, (first, world.dealer.company_id, 1000)):
            (statement,) = ending_keys(tx, viewer, first, first + timedelta(days=30), ASKED, place, 51)
            walks_an_index(plan_of(tx, statement))


def test_what_lacks_something_is_found_by_an_index_for_every_viewer(tx, crowd):
    world = crowd[0]
    for viewer in (world.dealer, world.account, world.program):
        for statement in (families_without_terms(viewer), projects_lacking(viewer)):
            plan = plan_of(tx, statement)
            assert "Seq Scan on installed_source" not in plan, plan
            assert "SCAN installed_source" not in plan, plan


def test_the_number_of_statements_does_not_depend_on_the_rows(tx):
    world = make_world(tx)
    many(tx, world, 3)

    def statements():
        count = []

        def note(*_said):
            count.append(1)

        engine = tx.get_bind()
        sa.event.listen(engine, "before_cursor_execute", note)
        source_list(tx, viewer=world.program, at=AT, asked=ASKED)
        ending_page(tx, viewer=world.program, at=AT, days=60, asked=ASKED)
        undetermined_sources(tx, viewer=world.program)
        sa.event.remove(engine, "before_cursor_execute", note)
        return len(count)

    few = statements()
    many(tx, other_world(world, "0077-1"), 40)
    tx.expire_all()
    assert statements() == few > 0


def test_what_lacks_terms_is_grouped_by_family_and_what_lacks_a_day_by_project(tx):
    world = make_world(tx)
    shipped(world)
    found = undetermined_sources(tx, viewer=world.account)
    assert [(group.family, group.sources, group.units) for group in found.families] == [("D3", 2, 20)]
    assert found.projects == ()
    add_terms(tx, start_rule=StartRule.COMMISSIONED)
    shipped(world)
    found = undetermined_sources(tx, viewer=world.account)
    (group,) = found.waiting_for(Lacking.COMMISSIONED)
    assert (group.sources, group.units, group.is_mine) == (2, 20, True)
    assert not undetermined_sources(tx, viewer=world.dealer).projects[0].is_mine
    assert undetermined_sources(tx, viewer=make_dealer(tx, world.program)).units == 0


def test_pages_lists_and_workbooks_show_the_same(client, tx):
    world = make_world(tx)
    add_terms(tx)
    shipped(world)
    client.sign_in(user_of(tx, world.account))
    page = client.get("/sources?state=in_place&model=light")
    assert "1 installed source" in page.text
    assert "3 May 2027" in page.text
    assert client.get("/sources?colour=red", status=404)
    assert client.get("/sources?since=never", status=422)
    assert client.get("/sources?after=nowhere", status=404)
    assert (
        "No installed source yet"
        in client.other().sign_in(user_of(tx, make_account(tx, world.program))).get("/sources").text
    )
    book = openpyxl.load_workbook(
        BytesIO(client.get("/sources.xlsx?state=in_place&model=light").response.get_data()), read_only=True
    )
    cells = [cell for row in book["Sources"].iter_rows(values_only=True) for cell in row]
    assert "D3-LIGHT" in cells
    assert "D3-TRIM" not in cells


def test_the_expiring_page_has_its_windows_and_an_empty_one_looks_further(client, tx):
    world = make_world(tx)
    client.sign_in(user_of(tx, world.dealer))
    page = client.get("/sources/expiring")
    assert "Nothing ends within 30 days" in page.text
    page = client.click("Look 180 days ahead")
    assert "See what is undetermined" in page.text
    client.get("/sources/expiring?within=45", status=404)
    client.get("/sources/expiring?after=2026-13-01.U-ABC-1", status=404)
    client.get("/sources/expiring.xlsx?within=180")
    client.get("/sources/undetermined")


def test_the_search_finds_a_source_by_number_and_by_serial(client, tx):
    world = make_world(tx)
    order, ref = world.order()
    world.ship(ref, quantities={order_line(tx, order, "D3-LIGHT"): 1})
    source = source_list(tx, viewer=world.account, at=AT, asked=ASKED).rows[0]
    identify_source(
        tx, actor=world.account, at=AT, ref=source.ref, event_count=None, serial="AB-129", happened_on=None
    )
    client.sign_in(user_of(tx, world.dealer))
    assert client.get("/search", query_string={"q": source.ref.lower()}, status=303).location.endswith(
        f"/sources/{source.ref}"
    )
    assert source.ref in client.get("/search", query_string={"q": "ab- 129"}).text
    stranger = client.other().sign_in(user_of(tx, make_dealer(tx, world.program)))
    assert source.ref not in stranger.get("/search", query_string={"q": "AB-129"}).text
    assert "Nothing fits" in stranger.get("/search", query_string={"q": source.ref}).text


def test_who_acts_for_a_dealer_and_an_account_sees_what_is_of_both_once(tx):
    world = make_world(tx)
    many(tx, world, 5)
    both = replace(world.dealer, roles=frozenset({Role.DEALER_VIEWER, Role.ACCOUNT_VIEWER}))
    seen = [ending_page(tx, viewer=viewer, at=AT, days=30, asked=ASKED) for viewer in (world.dealer, both)]
    assert seen[0] == seen[1]
    assert len(seen[0].rows) == 5


def test_programs_get_the_same_lists_as_people(client, tx):
    world = make_world(tx)
    add_terms(tx)
    shipped(world)
    tokens = {name: token_of(tx, getattr(world, name)) for name in ("program", "dealer", "account")}

    def call(who, path, status=200):
        return client.api("GET", f"/api/v1{path}", token=tokens[who], status=status).json

    listed = call("dealer", "/sources?model=light")
    assert [item["model_number"] for item in listed["items"]] == ["D3-LIGHT"]
    assert listed["items"][0]["ends_on"] == "2027-05-03"
    referral = listed["items"][0]["referral"]
    placed = call("account", f"/referrals/{referral}/sources")
    assert (placed["counts"]["in_place"], placed["counts"]["not_shipped"]) == (20, 0)
    assert call("account", "/sources/expiring?within=3650")["next"] is None
    assert call("account", "/sources/undetermined")["families"] == []
    assert call("account", "/obligations")["units"] in {0, 20}
    call("program", "/obligations", status=422)
    call("dealer", "/sources?colour=red", status=422)
