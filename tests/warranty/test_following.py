"""What ships becomes installed sources, what comes back is none any more; nothing is ever lost count of."""

from __future__ import annotations

import sqlalchemy as sa

from quotes.queries.order_lines import order_lines
from tests.factories import make_world
from warranty.models.sources import InstalledSource
from warranty.operations.following import follow_order
from warranty.states import Lacking, Standing


def sources(tx):
    tx.expire_all()
    return list(tx.scalars(sa.select(InstalledSource).order_by(InstalledSource.number)))


def test_each_shipped_ketra_line_is_a_counted_group_at_the_projects_place(tx):
    world = make_world(tx)
    order, ref = world.order()
    assert sources(tx) == []
    world.ship(ref)
    made = {source.model_number: source for source in sources(tx)}
    assert set(made) == {"D3-LIGHT", "D3-TRIM"}
    light = made["D3-LIGHT"]
    assert (light.quantity, light.standing, light.room) == (10, Standing.SHIPPED, "Kitchen")
    assert (light.lacking, light.ends_on, light.order_id) == (Lacking.TERMS, None, order.id)


def test_following_an_order_again_changes_nothing(tx):
    world = make_world(tx)
    order, ref = world.order()
    world.ship(ref)
    before = [(row.id, row.event_count) for row in sources(tx)]
    assert follow_order(tx, actor=None, at=order.entered_at, order=order) == 0
    assert [(row.id, row.event_count) for row in sources(tx)] == before


def test_returned_units_are_taken_out_of_their_group_and_voided(tx):
    world = make_world(tx)
    order, ref = world.order()
    world.ship(ref)
    light = next(row for row in sources(tx) if row.model_number == "D3-LIGHT")
    line_id = light.line_id
    world.take_back(ref, quantities={line_id: 2})
    group, gone = (row for row in sources(tx) if row.line_id == line_id)
    assert (group.quantity, group.standing) == (8, Standing.SHIPPED)
    assert (gone.quantity, gone.standing, gone.split_from_id) == (2, Standing.VOIDED, group.id)
    world.take_back(ref, quantities={line_id: 8})
    rows = [row for row in sources(tx) if row.line_id == line_id]
    assert {row.standing for row in rows} == {Standing.VOIDED}
    standing = next(row for row in order_lines(tx, order) if row.line_id == line_id)
    assert sum(row.quantity for row in rows) == standing.shipped_quantity
