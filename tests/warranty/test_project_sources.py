"""A project's installed sources: room by room, and no unit is lost count of, whatever happens."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from quotes.models.orders import Order
from quotes.operations.cancellations import cancel_order
from quotes.operations.quotes import LineInput
from quotes.operations.replacements import order_replacement
from quotes.queries.order_lines import order_lines
from referral.errors import Refusal
from referral.ids import PublicNumber
from tests.factories import AT, make_account, make_dealer, make_world, user_of
from tests.warranty.test_listings import add_terms
from warranty.models.sources import InstalledSource
from warranty.operations.events import record_source_event, record_swap
from warranty.operations.splits import split_units
from warranty.queries.projects import line_counts, project_sources
from warranty.states import IN_PLACE, SourceEventKind, Standing

KETRA = ("D3-LIGHT", "D3-TRIM")


class Story:
    """One order of lights and trims in two rooms, and a processor, to which anything happens."""

    def __init__(self, tx):
        self.tx = tx
        self.world = make_world(tx)
        quote = self.world.submit(
            lines=[
                LineInput("D3-LIGHT", 6, "Kitchen"),
                LineInput("D3-TRIM", 4, "Hall"),
                LineInput("PROC-1", 2, "Equipment"),
            ]
        )
        self.order, self.ref = self.world.order(self.world.approve(quote))
        self.count = 0

    def lines(self):
        """What became of the order's lines."""
        return order_lines(self.tx, self.tx.get_one(Order, (self.order.dealer_id, self.order.id)))

    def sources(self, line_id, *, replacing=False):
        """The sources that shipped with a line, or those that were sent as replacements."""
        self.tx.flush()
        column = InstalledSource.replacement_number if replacing else InstalledSource.shipment_number
        return list(
            self.tx.scalars(
                sa.select(InstalledSource)
                .where(InstalledSource.line_id == line_id, column.is_not(None))
                .order_by(InstalledSource.number)
                .execution_options(populate_existing=True)
            )
        )

    def number(self, source):
        """A source's public number."""
        return str(PublicNumber("U", self.world.dealer.company_code, source.number))

    def happen(self, what, place, quantity):
        """Let something happen to a line; what cannot happen is left."""
        self.count += 1
        line = self.lines()[place]
        days = timedelta(days=self.count)
        said = {"actor": self.world.account, "at": AT + days, "ref": self.ref}
        there = [row for row in self.sources(line.line_id) if row.standing in IN_PLACE]
        if what in {"ship", "cancel"}:
            quantity = min(quantity, line.open_quantity)
        else:
            quantity = min(quantity, max((row.quantity for row in there), default=0))
        if not quantity:
            return
        key = {"quantities": {line.line_id: quantity}, "idempotency_key": f"story-{self.count}"}
        there.sort(key=lambda row: -row.quantity)
        if what == "ship":
            self.world.ship(self.ref, **key)
        elif what == "cancel":
            cancel_order(self.tx, **said, **key, reason="Too many")
        elif what == "return":
            self.world.take_back(self.ref, **key, at=AT + days)
        elif what == "split" and quantity < there[0].quantity:
            split_units(self.tx, source=there[0], quantities=[quantity], day=AT.date(), by=None, at=AT + days)
        elif what == "retire":
            record_source_event(
                self.tx, actor=self.world.account, at=AT + days, ref=self.number(there[0]), event_count=None,
                kind=SourceEventKind.RETIRED, happened_on=AT.date(), site_number=None, room="", reason="Worn",
            )  # fmt: skip
        elif what == "replace":
            order_replacement(self.tx, **said, **key, reason="Failed", failed_on=None)
            new = self.sources(line.line_id, replacing=True)[-1]
            record_swap(
                self.tx, actor=self.world.account, at=AT + days, ref=self.number(there[0]),
                new_ref=self.number(new), happened_on=(AT + days).date(), reason="Failed",
            )  # fmt: skip
        self.tx.flush()

    def check(self):
        """Every unit is on exactly one source, or not shipped yet; no processor is on any."""
        counted = {row.line_id: row for row in self.counted()}
        for line in self.lines():
            if line.model_number not in KETRA:
                assert line.line_id not in counted
                assert self.sources(line.line_id) == []
                continue
            sources, row = self.sources(line.line_id), counted[line.line_id]
            on_sources = sum(source.quantity for source in sources)
            voided = sum(s.quantity for s in sources if s.standing is Standing.VOIDED)
            assert on_sources == line.shipped_quantity
            assert voided == line.returned_quantity == row.voided
            assert on_sources + line.open_quantity == line.quantity - line.cancelled_quantity
            assert on_sources - voided + line.open_quantity == line.kept_quantity
            in_words = row.in_place + row.replaced + row.retired + row.voided
            assert in_words + (row.ordered - row.cancelled - row.shipped) == row.ordered - row.cancelled

    def counted(self):
        """The lines as the project's page counts them."""
        lines = line_counts(
            self.world.account,
            self.order.dealer_id,
            self.tx.scalars(sa.select(InstalledSource.referral_id)).first() or self.referral_id(),
        )
        return self.tx.execute(sa.select(lines)).all()

    def referral_id(self):
        """The only project there is."""
        return self.tx.scalars(sa.text("SELECT referral_id FROM quote").columns(referral_id=sa.Uuid())).one()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ship", "ship", "cancel", "return", "split", "retire", "replace"]),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.integers(1, 4),
    ),
    min_size=5,
    max_size=12,
)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@example(
    steps=[
        ("ship", 0, 4), ("ship", 1, 4), ("split", 0, 1), ("replace", 0, 2), ("return", 0, 1), ("retire", 0, 1),
        ("ship", 0, 1), ("return", 1, 3), ("cancel", 0, 1),
    ]
)  # fmt: skip
@given(steps=STEPS)
def test_every_unit_of_every_order_is_on_one_source_or_not_shipped_whatever_happens(tx, steps):
    with tx.begin_nested() as attempt:
        story = Story(tx)
        for what, place, quantity in steps:
            with tx.begin_nested() as step:
                try:
                    story.happen(what, place, quantity)
                except Refusal:  # such as what replaced another and cannot be returned: nothing happens then
                    step.rollback()
                    tx.expire_all()
        story.check()
        attempt.rollback()
        tx.expire_all()


def a_project(tx, **overrides):
    world = make_world(tx)
    referral = world.refer()
    world.refer = lambda **_said: referral
    _, ref = world.order(**overrides)
    return world, referral, ref


def line_of(world, ref, model):
    order = world.tx.scalars(sa.select(Order).where(Order.number == int(ref.rpartition("-")[2]))).one()
    return next(line.line_id for line in order_lines(world.tx, order) if line.model_number == model)


def test_a_project_shows_its_rooms_its_counts_and_what_has_not_shipped(tx):
    world, referral, ref = a_project(tx)
    add_terms(tx)
    light = line_of(world, ref, "D3-LIGHT")
    world.ship(ref, quantities={light: 4})
    world.take_back(ref, quantities={light: 1})
    page = project_sources(tx, viewer=world.dealer, at=AT, ref=referral)
    assert [(row.room, row.quantity, row.standing) for row in page.rows] == [
        ("Kitchen", 3, Standing.SHIPPED),
        ("Kitchen", 1, Standing.VOIDED),
    ]
    counts = page.counts
    assert (counts.ordered, counts.cancelled, counts.in_place, counts.voided) == (20, 0, 3, 1)
    assert counts.not_shipped == 16
    assert [(line.model_number, line.not_shipped) for line in page.not_shipped] == [
        ("D3-LIGHT", 6),
        ("D3-TRIM", 10),
    ]
    assert [line.counted for line in page.not_shipped] == [10, 10]
    assert page.rows[0].bar is not None
    assert not page.is_mine
    assert project_sources(tx, viewer=world.account, at=AT, ref=referral).is_mine


def test_a_project_is_paged_by_place_and_number(tx):
    world, referral, ref = a_project(tx)
    world.ship(ref)
    tx.flush()
    source = tx.scalars(sa.select(InstalledSource).where(InstalledSource.model_number == "D3-LIGHT")).one()
    split_units(tx, source=source, quantities=[1] * 9, day=AT.date(), by=None, at=AT)
    refs, after = [], None
    while True:
        page = project_sources(tx, viewer=world.dealer, at=AT, ref=referral, after=after, limit=4)
        refs += [row.ref for row in page.rows]
        after = page.after
        if after is None:
            break
    assert len(refs) == len(set(refs)) == 11
    with pytest.raises(Refusal, match="not_found"):
        project_sources(
            tx, viewer=world.dealer, at=AT, ref=referral, after=f"U-{world.dealer.company_code}-99"
        )


def test_the_statements_of_a_project_do_not_depend_on_its_sources(tx):
    world, referral, ref = a_project(tx)
    world.ship(ref)

    def statements():
        count = []

        def note(*_said):
            count.append(1)

        tx.expire_all()
        engine = tx.get_bind()
        sa.event.listen(engine, "before_cursor_execute", note)
        project_sources(tx, viewer=world.account, at=AT, ref=referral)
        sa.event.remove(engine, "before_cursor_execute", note)
        return len(count)

    few = statements()
    source = tx.scalars(sa.select(InstalledSource).where(InstalledSource.model_number == "D3-LIGHT")).one()
    split_units(tx, source=source, quantities=[1] * 9, day=AT.date(), by=None, at=AT)
    assert statements() == few > 0


def test_others_do_not_see_a_project_and_who_sold_in_it_does_to_the_end(client, tx):
    world, referral, ref = a_project(tx)
    client.sign_in(user_of(tx, world.account))
    assert "Nothing has shipped yet" in client.get(f"/referrals/{referral}/sources").text
    world.ship(ref)
    page = client.get(f"/referrals/{referral}/sources")
    assert "20 in place + 0 replaced + 0 retired + 0 returned + 0 not shipped = 20 ordered" in page.text
    for stranger in (make_dealer(tx, world.program), make_account(tx, world.program)):
        client.other().sign_in(user_of(tx, stranger)).get(f"/referrals/{referral}/sources", status=404)
    new = make_account(tx, world.program)
    tx.execute(
        sa.text("UPDATE referral SET account_id = :a").bindparams(
            sa.bindparam("a", new.company_id, sa.Uuid())
        )
    )
    assert "20 in place" in client.get(f"/referrals/{referral}/sources").text
    client.other().sign_in(user_of(tx, new)).get(f"/referrals/{referral}/sources")
