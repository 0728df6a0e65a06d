"""Labels: one for each source in place, each leading to its page, in the order of their numbers."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from referral.errors import Refusal
from tests.factories import AT, make_dealer, make_world, user_of
from tests.warranty.test_source_page import make_source, row_of, statements
from warranty.models.sources import InstalledSource
from warranty.operations.splits import split_units
from warranty.queries import labels
from warranty.queries.labels import LabelFilter, label_sheet


def project_of(world):
    """The project of the only sources there are."""
    number = world.tx.scalars(sa.text("SELECT number FROM referral")).one()
    return f"R-{world.dealer.company_code}-{number}"


def sheet(world, viewer=None, **asked):
    return label_sheet(
        world.tx, viewer=viewer or world.account, ref=project_of(world), asked=LabelFilter(**asked)
    )


def test_each_source_in_place_has_one_label(tx):
    world = make_world(tx)
    ref = make_source(world, terms=False)
    found = sheet(world)
    assert {label.model_number for label in found.labels} == {"D3-LIGHT", "D3-TRIM"}
    assert (found.total, found.rooms, found.after) == (2, ("Kitchen",), None)
    assert ref in {label.ref for label in found.labels}
    assert next(label.quantity for label in found.labels if label.ref == ref) == 10


def test_labels_are_chosen_by_room_and_serial_number(tx):
    world = make_world(tx)
    make_source(world, terms=False)
    (unit,) = split_units(tx, source=row_of(tx), quantities=[1], day=date(2026, 5, 5), by=None, at=AT)
    tx.execute(
        sa.update(InstalledSource).where(InstalledSource.id == unit.id).values(serial="KT-1", room="Hall")
    )
    assert [label.serial for label in sheet(world, only_serials=True).labels] == ["KT-1"]
    assert [label.room for label in sheet(world, room="Hall").labels] == ["Hall"]
    assert sheet(world, room="Cellar").labels == ()


def test_taken_out_and_returned_units_have_no_label(tx):
    world = make_world(tx)
    _, order_ref = world.order()
    world.ship(order_ref)
    world.take_back(order_ref)
    assert sheet(world).labels == ()


def test_labels_continue_by_number_at_one_cost(tx, monkeypatch):
    world = make_world(tx)
    make_source(world, terms=False)
    small = statements(tx, lambda: sheet(world))
    split_units(tx, source=row_of(tx), quantities=[1] * 8, day=date(2026, 5, 5), by=None, at=AT)
    assert statements(tx, lambda: sheet(world)) == small
    monkeypatch.setattr(labels, "LABELS", 4)
    seen, after = [], 0
    while after is not None:
        page = sheet(world, after=after)
        seen += [label.number for label in page.labels]
        after = page.after
        assert page.total == 10
    assert seen == sorted(set(seen))
    assert len(seen) == 10


def test_other_companies_find_no_labels(tx):
    world = make_world(tx)
    make_source(world, terms=False)
    with pytest.raises(Refusal, match="nothing here"):
        sheet(world, viewer=make_dealer(tx, world.program))


def test_the_print_sheet_has_a_code_for_each_and_refuses_a_filter_it_does_not_know(tx, client):
    world = make_world(tx)
    ref = make_source(world, terms=False)
    client.sign_in(user_of(tx, world.account))
    path = f"/referrals/{project_of(world)}/labels"
    page = client.get(path)
    assert page.html.count('class="label-code"') == 2
    assert f"QR code that opens {ref}" in page.html
    assert "No labels" in client.get(f"{path}?serial=yes").text
    client.get(f"{path}?serial=maybe", status=404)
    client.get(f"{path}?color=red", status=404)
