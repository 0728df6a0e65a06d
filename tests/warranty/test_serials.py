"""A file of serial numbers: verdicts row by row, all or none, again without effect, in batches that a kill spares."""

from __future__ import annotations

import io
from contextlib import contextmanager
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from referral.db import db, read
from referral.errors import Refusal
from tests.factories import World, everything, make_dealer, user_of
from tests.warranty.grounds import LATER, Kind, make_ground
from warranty.forms.serials import open_serial_sheet
from warranty.models.sources import SerialImport
from warranty.operations import serial_imports
from warranty.operations.events import identify_source
from warranty.operations.serial_imports import go_on_with_serials, start_serial_import
from warranty.queries.serials import check_serials

HEADINGS = "Order,Model number,Room,Serial number,Delivered,Commissioned"


def csv_of(*rows):
    return "\r\n".join([HEADINGS, *rows]).encode()


def lights(count, first=1):
    return [f",D3-LIGHT,,L{number},2026-05-06,2026-05-20" for number in range(first, first + count)]


def file_of(content, name="serials.csv"):
    return open_serial_sheet(io.BytesIO(content), name).file


def check(ground, content):
    return read(check_serials, viewer=ground.actor, at=LATER, ref=ground.project, file=file_of(content))


def take_in(ground, content, *, good_only=False, row_limit=None):
    ground.tx.commit()
    return start_serial_import(
        actor=ground.actor,
        clock=lambda: LATER,
        ref=ground.project,
        file=file_of(content),
        checked=check(ground, content),
        good_only=good_only,
        row_limit=row_limit,
    )


def problem_of(ground, *rows, at=-1):
    """The code and the sentence that refuse a row, the last one unless `at` says."""
    ground.tx.commit()
    checked = check(ground, csv_of(*rows))
    assert checked.refused_count == len(checked.refused) > 0
    (problem,) = checked.refused[at].problems
    return problem.code, problem.message


def test_each_row_takes_one_unit_out_of_its_group_with_its_days(ground):
    assert take_in(ground, csv_of(*lights(10), ",d3-trim,kitchen,t 1,,"))
    rows = [row for row in ground.all() if row.model_number == "D3-LIGHT"]
    assert sorted(row.serial for row in rows) == sorted(f"L{number}" for number in range(1, 11))
    assert {row.quantity for row in rows} == {1}
    assert {(row.delivered_on, row.commissioned_on) for row in rows} == {
        (date(2026, 5, 6), date(2026, 5, 20))
    }
    trims = {row.serial: row.quantity for row in ground.all() if row.model_number == "D3-TRIM"}
    assert trims == {"": 9, "T1": 1}
    run = ground.tx.scalars(sa.select(SerialImport)).one()
    assert (run.row_count, run.new_count, run.repeated_count, run.finished_at) == (11, 11, 0, LATER)


def test_the_same_file_again_changes_no_source_and_new_days_are_added(ground):
    content = csv_of(",D3-LIGHT,Kitchen,L1,,", ",D3-LIGHT,Kitchen,L2,2026-05-06,")
    take_in(ground, content)
    before = read(everything)
    take_in(ground, content)
    after = read(everything)
    for table in ("installed_source", "source_event", "serial_number"):
        assert after[table] == before[table]
    take_in(ground, csv_of(",D3-LIGHT,,L1,2026-05-07,2026-05-21", ",D3-LIGHT,,L2,2026-05-06,"))
    days = {row.serial: (row.delivered_on, row.commissioned_on) for row in ground.all() if row.serial}
    assert days == {"L1": (date(2026, 5, 7), date(2026, 5, 21)), "L2": (date(2026, 5, 6), None)}


def test_more_serial_numbers_than_units_are_refused_by_row(ground):
    code, words = problem_of(ground, *lights(11))
    assert code == "invalid_input"
    assert "D12: there are more serial numbers than units" in words


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        (",D9-NONE,,L1,,", "not_found", "B2: no D9-NONE has shipped"),
        (",D3-LIGHT,Attic,L1,,", "not_found", "C2: no D3-LIGHT stands in Attic"),
        ("O-NOBODY-7,D3-LIGHT,,L1,,", "not_found", "A2: no D3-LIGHT has shipped with O-NOBODY-7"),
        (",D3-LIGHT,,,,", "file_has_errors", "D2: the serial number is missing"),
        (",D3-LIGHT,,L1,yesterday,", "file_has_errors", "E2: “yesterday” is no day"),
        (",D3-LIGHT,,L1,2026-05-03,", "invalid_input", "shipped on 4 May 2026, after this day"),
        (",D3-LIGHT,,L1,,2026-06-04", "invalid_input", "F2: 4 Jun 2026 is still to come"),
    ],
)
def test_a_row_is_refused_at_its_cell(ground, row, code, words):
    found = problem_of(ground, row)
    assert found[0] == code
    assert words in found[1]


def test_a_serial_number_twice_in_a_file_or_known_elsewhere_is_refused(ground):
    code, words = problem_of(ground, *lights(1), *lights(1))
    assert (code, "row 2 has this serial number already" in words) == ("serial_taken", True)
    world = ground.world
    other = World(
        ground.tx, world.program, make_dealer(ground.tx, world.program, number="88-1"), ground.actor, "88-1"
    )
    there = make_ground(ground.tx, other)
    identify_source(ground.tx, **there.naming(there.one(), "L1"))
    code, words = problem_of(ground, *lights(1))
    assert code == "serial_taken"
    assert words == "D2: Another source bears this serial number."


def test_a_known_serial_number_of_another_model_or_room_is_refused(ground):
    take_in(ground, csv_of(*lights(1)))
    code, words = problem_of(ground, ",D3-TRIM,,L1,,")
    assert code == "serial_taken"
    assert "D3-LIGHT in Kitchen" in words
    code, words = problem_of(ground, ",D3-LIGHT,,L1,2026-05-08,")
    assert "was delivered on 6 May 2026; correct that first" in words


def test_a_model_in_two_rooms_needs_the_room(ground):
    ground.one(room="Hall")
    code, words = problem_of(ground, *lights(1))
    assert (code, "say the order and the room" in words) == ("invalid_input", True)
    assert take_in(ground, csv_of(",D3-LIGHT,hall,L1,,"))


def test_nothing_is_saved_where_one_row_is_bad_unless_good_rows_are_wanted(ground):
    content = csv_of(*lights(2), ",D9-NONE,,X1,,")
    ground.tx.commit()
    before = read(everything)
    with pytest.raises(Refusal) as caught:
        take_in(ground, content)
    assert caught.value.code == "file_has_errors"
    assert read(everything) == before
    assert take_in(ground, content, good_only=True)
    assert sorted(row.serial for row in ground.all() if row.serial) == ["L1", "L2"]
    run = ground.tx.scalars(sa.select(SerialImport)).one()
    assert (run.new_count, run.refused_count, run.finished_at) == (2, 1, LATER)


def test_a_row_that_became_bad_after_the_preview_stops_the_import(ground):
    content = csv_of(*lights(2))
    ground.tx.commit()
    checked = check(ground, content)
    assert checked.refused_count == 0
    ground.record(kind=Kind.RETIRED, happened_on=date(2026, 5, 10), reason="Burnt")
    ground.tx.commit()
    say = {"actor": ground.actor, "clock": lambda: LATER, "ref": ground.project, "file": file_of(content)}
    with pytest.raises(Refusal) as caught:
        start_serial_import(**say, checked=checked, good_only=False)
    assert caught.value.code == "file_has_errors"
    assert [row.serial for row in ground.all() if row.serial] == []


def test_days_of_a_unit_that_is_gone_end_with_it(ground):
    take_in(ground, csv_of(",D3-LIGHT,,L1,,"))
    (row,) = (row for row in ground.all() if row.serial)
    ground.record(ground.ref_of(row), kind=Kind.RETIRED, happened_on=date(2026, 5, 10), reason="Burnt")
    code, words = problem_of(ground, ",D3-LIGHT,,L1,2026-05-12,")
    assert (code, "was taken out on 10 May 2026" in words) == ("invalid_input", True)
    assert take_in(ground, csv_of(",D3-LIGHT,,L1,2026-05-09,"))


# batches ----------------------------------------------------------------------------------------


@pytest.fixture
def small_batches(monkeypatch):
    """Two rows a transaction."""
    plain = serial_imports.batches
    monkeypatch.setattr(serial_imports, "batches", lambda lines: plain(lines, 2))


def test_an_import_that_was_killed_is_taken_up_where_it_stopped(ground, small_batches):
    content = csv_of(*lights(7))
    assert not take_in(ground, content, row_limit=4)
    assert sum(row.serial != "" for row in ground.all()) == 4
    run = ground.tx.scalars(sa.select(SerialImport)).one()
    assert (run.walked_count, run.finished_at) == (4, None)
    ground.tx.commit()
    say = {"actor": ground.actor, "clock": lambda: LATER, "ref": ground.project, "file": file_of(content)}
    assert go_on_with_serials(**say, walked=4)
    assert sum(row.serial != "" for row in ground.all()) == 7
    assert ground.tx.scalars(sa.select(SerialImport)).one().new_count == 7


def test_the_same_file_taken_in_by_two_at_once_names_each_unit_once(ground, small_batches, at_once):
    content = csv_of(*lights(8))
    ground.tx.commit()
    checked = check(ground, content)

    def call():
        return start_serial_import(
            actor=ground.actor,
            clock=lambda: LATER,
            ref=ground.project,
            file=file_of(content),
            checked=checked,
            good_only=False,
        )

    answers = at_once(call, times=3)
    assert not [answer for answer in answers if isinstance(answer, BaseException)]
    run = ground.tx.scalars(sa.select(SerialImport)).one()
    while run.finished_at is None:
        ground.tx.commit()
        call()
        ground.tx.expire_all()
        run = ground.tx.scalars(sa.select(SerialImport)).one()
    assert sorted(row.serial for row in ground.all() if row.serial) == [
        f"L{number}" for number in range(1, 9)
    ]
    assert sum(row.quantity for row in ground.all() if row.model_number == "D3-LIGHT") == 10


@contextmanager
def counted():
    """Count the statements of a block."""
    said = []
    listen = (db.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    event.listen(*listen)
    try:
        yield said
    finally:
        event.remove(*listen)


def test_the_number_of_statements_does_not_grow_with_the_rows(ground):
    counts = []
    for content in (csv_of(*lights(2)), csv_of(*lights(7, first=3))):
        ground.tx.commit()
        checked = check(ground, content)
        with counted() as said:
            start_serial_import(
                actor=ground.actor,
                clock=lambda: LATER,
                ref=ground.project,
                file=file_of(content),
                checked=checked,
                good_only=False,
            )
        counts.append(len(said))
    assert counts[0] == counts[1]


# pages ------------------------------------------------------------------------------------------


def upload(client, ground, content, name="serials.csv", status=303):
    return client.post(
        f"/referrals/{ground.project}/serials",
        {"file": (io.BytesIO(content), name)},
        content_type="multipart/form-data",
        status=status,
    )


def test_a_person_uploads_previews_and_imports_with_progress(ground, client, small_batches, monkeypatch):
    monkeypatch.setattr(serial_imports.start_serial_import, "__kwdefaults__", {"row_limit": 4})
    client.sign_in(user_of(ground.tx, ground.actor))
    client.get(f"/referrals/{ground.project}/serials")
    page = client.get(upload(client, ground, csv_of(*lights(6))).location)
    assert "One of the 10 of" in page.text
    page = client.submit("Import 6 rows")
    assert "4 of 6 rows" in page.text
    assert page.all(".//progress") == [""]
    page = client.submit("Go on")
    assert "It is done." in page.text
    assert sum(row.serial != "" for row in ground.all()) == 6


def test_refused_rows_come_as_a_file_that_can_be_mended(ground, client):
    client.sign_in(user_of(ground.tx, ground.actor))
    address = upload(client, ground, csv_of(*lights(1), ",D9-NONE,,X1,,")).location
    page = client.get(address)
    assert "One row is refused" in page.text
    page = client.submit("Import 1 row", status=422)
    assert sum(row.serial != "" for row in ground.all()) == 0
    refused_rows = client.get(f"{address}/refused")
    assert "D9-NONE" in refused_rows.html
    assert file_of(refused_rows.response.get_data()).lines
    client.get(address)
    page = client.submit("Import 1 row", {"good_only": "y"})
    assert "It is done." in page.text


def test_a_hostile_workbook_is_refused_at_the_door_and_not_kept(ground, client):
    client.sign_in(user_of(ground.tx, ground.actor))
    ground.tx.commit()
    before = read(everything)
    page = upload(client, ground, b"PK\x03\x04" + b"\0" * 400, "serials.xlsx", status=None)
    assert page.status in {400, 413, 415, 422}
    assert read(everything) == before


def test_the_dealer_imports_no_serial_numbers(ground, client):
    client.sign_in(user_of(ground.tx, ground.world.dealer))
    client.get(f"/referrals/{ground.project}/serials", status=403)
