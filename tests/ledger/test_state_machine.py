"""Quote, approve, order, ship, cancel, return, adjust, transfer, reverse, close: against a model in plain Python.

The model knows lists of amounts and the rules of the program, nothing of the application. After every step the
balances, the statements that moved and the levels are equal; 10,000 steps and more, the same on both databases.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from ledger.models.accounts import LedgerAccount
from ledger.operations.adjustments import adjust_credit, record_other_purchase
from ledger.operations.levels import set_levels
from ledger.operations.reversals import reverse_entry
from ledger.operations.transfers import transfer_credit
from ledger.operations.years import close_dealer_year, finish_closing, start_closing
from ledger.queries.levels import credit_year
from ledger.queries.statements import statement_lines
from ledger.rules.credit import LevelStep
from ledger.states import AccountKind
from quotes.operations.cancellations import cancel_order
from quotes.operations.orders import place_order
from quotes.operations.quotes import LineInput
from referral.clock import business_day
from referral.errors import Refusal
from referral.operations.settings import change_setting
from tests.factories import AT, make_dealer, make_world

STEPS_WANTED = 10_000
STEPS = 60
"""Steps of one run; each begins with an empty ledger."""
PRICES = {"D3-LIGHT": 41250, "D3-TRIM": 3333, "PROC-1": 120000}
EARNS = {"D3-LIGHT", "D3-TRIM"}
RATES = {2026: 3333, 2027: 12345}
"""Credit rates in ten-thousandths that leave fractions of a cent everywhere."""
LEVELS = [("Base", 0), ("Silver", 150_000), ("Gold", 900_000)]
SALES, OTHER = AccountKind.SALES_CREDIT, AccountKind.OTHER_PURCHASES
START = datetime(2026, 10, 20, 15, 0, tzinfo=AT.tzinfo)
END = datetime(2027, 11, 30, 15, 0, tzinfo=AT.tzinfo)

amounts = st.integers(-90_000, 90_000).filter(bool)
shares = st.integers(0, 4)


def half_up(price, quantity, rate):
    """The credit of a line in cents, by whole numbers alone."""
    return (2 * price * quantity * rate + 10_000) // 20_000


@dataclass
class Line:
    """An ordered line."""

    price: int
    earns: bool
    quantity: int
    shipped: int = 0
    cancelled: int = 0
    returned: int = 0

    def credit(self, rate):
        """Return the credit of the units that are kept."""
        kept = self.quantity - self.cancelled - self.returned
        return half_up(self.price, kept, rate) if self.earns else 0


@dataclass
class Ordered:
    """An order."""

    ref: str
    year: int
    lines: dict


@dataclass
class Quoted:
    """An approved revision: what is left to order, through which day."""

    ref: str
    last_day: date
    lines: dict


@dataclass
class Entry:
    """A posting by hand that can be reversed."""

    dealer: int
    year: int
    kind: AccountKind
    sequence: int
    amount: int
    effective_on: date
    is_reversed: bool = False


@dataclass
class Model:
    """The whole ledger as lists."""

    accounts: dict = field(default_factory=lambda: defaultdict(list))
    closed: dict = field(default_factory=dict)
    quotes: list = field(default_factory=list)
    orders: list = field(default_factory=list)
    by_hand: list = field(default_factory=list)

    def post(self, dealer, year, kind, amount, day):
        """Add an amount; return how many there are now."""
        if amount:
            self.accounts[dealer, year, kind].append((amount, day))
        return len(self.accounts[dealer, year, kind])

    def balance(self, dealer, year, kind):
        """Add up an account."""
        return sum(amount for amount, _ in self.accounts[dealer, year, kind])

    def level(self, dealer, year):
        """Return the level the year gives: the frozen one once it is closed."""
        if year in self.closed:
            return self.closed[year][dealer]
        total = self.balance(dealer, year, SALES) + self.balance(dealer, year, OTHER)
        return [name for name, threshold in LEVELS if threshold <= max(total, 0)][-1]


def make_machine(tx, counter):
    """Return the machine on this database; each run ends where it began."""
    world = make_world(tx)
    dealers = (world.dealer, make_dealer(tx, world.program))
    for year, rate in RATES.items():
        change_setting(
            tx, actor=world.program, at=AT, key="credit_rate", value=f"{rate / 10_000:.4f}",
            valid_from=date(year, 1, 1), valid_to=None, reason="Test", source="Test",
        )  # fmt: skip
        set_levels(
            tx, actor=world.program, at=AT, level_year=year + 1, reason="Test", source="Test",
            levels=[LevelStep(*level) for level in LEVELS],
        )  # fmt: skip
    tx.flush()

    class Machine(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.model, self.at, self.keys = Model(), START, iter(range(10**6))
            self.savepoint = tx.begin_nested()
            self.touched = set()

        def teardown(self):
            self.savepoint.rollback()
            tx.expire_all()

        @property
        def today(self):
            return business_day(self.at, "America/New_York")

        def said(self, **more):
            return {"at": self.at, "idempotency_key": f"key-{next(self.keys)}", **more}

        def run(self, operation, *, refused="", **said):
            """Call the operation; it is refused with this code, or answers."""
            counter["steps"] += 1
            counter[operation.__name__] += not refused
            with tx.begin_nested() as savepoint:
                answer, code = None, ""
                try:
                    answer = operation(tx, **said)
                except Refusal as refusal:
                    savepoint.rollback()
                    code = refusal.code
            assert code == refused, (operation.__name__, code, refused)
            return answer

        def posted(self, dealer, year, kind, amount, day):
            self.touched.add((dealer, year, kind))
            return self.model.post(dealer, year, kind, amount, day)

        @property
        def lacks_quotes(self):
            """Whether fewer than two quotes have something left to order: approving is the slowest step."""
            return sum(any(left for _, left in quote.lines.values()) for quote in self.model.quotes[-4:]) < 2

        def posting_year(self, year):
            return self.today.year if year in self.model.closed else year

        # the steps ------------------------------------------------------------------------------

        @rule(days=st.integers(1, 45))
        def wait(self, days):
            counter["steps"] += 1
            self.at = min(self.at + timedelta(days=days), END)

        @precondition(lambda self: self.lacks_quotes)
        @rule(quantities=st.tuples(*[st.integers(1, 40)] * 3))
        def quote_and_approve(self, quantities):
            counter["steps"] += 1
            counter["approve_revision"] += 1
            models = list(PRICES)
            lines = [
                LineInput(name, count, "Kitchen") for name, count in zip(models, quantities, strict=True)
            ]
            ref = world.submit(at=self.at, lines=lines)
            world.approval(ref, at=self.at)
            ids = dict(zip(world.line_ids(ref), zip(models, quantities, strict=True), strict=True))
            self.model.quotes.append(
                Quoted(ref, self.today + timedelta(days=30), {key: list(line) for key, line in ids.items()})
            )

        @precondition(lambda self: self.model.quotes)
        @rule(which=st.integers(0, 9), share=shares)
        def order(self, which, share):
            quote = self.model.quotes[which % len(self.model.quotes)]
            wanted = {key: left - left * share // 5 for key, (_, left) in quote.lines.items() if left}
            refused = "quote_expired" if self.today > quote.last_day else "" if wanted else "empty_order"
            answer = self.run(
                place_order, refused=refused, **self.said(
                    actor=world.account, ref=quote.ref, revision_number=1, quantities=wanted, purchase_order="",
                )
            )  # fmt: skip
            if answer is None:
                return
            year = self.today.year
            lines = {}
            for key, quantity in wanted.items():
                name = quote.lines[key][0]
                quote.lines[key][1] -= quantity
                lines[key] = Line(PRICES[name], name in EARNS, quantity)
            ordered = Ordered(answer[1], year, lines)
            self.model.orders.append(ordered)
            credit = sum(line.credit(RATES[year]) for line in lines.values())
            self.posted(0, year, SALES, credit, self.today)

        @precondition(lambda self: self.model.orders)
        @rule(which=st.integers(0, 9), share=shares)
        def ship(self, which, share):
            order = self.model.orders[which % len(self.model.orders)]
            open_units = {
                key: line.quantity - line.cancelled - line.shipped for key, line in order.lines.items()
            }
            wanted = {key: left - left * share // 5 for key, left in open_units.items() if left}
            if not wanted:
                return
            counter["steps"] += 1
            counter["ship_order"] += 1
            world.ship(order.ref, at=self.at, shipped_on=self.today, quantities=wanted)
            for key, quantity in wanted.items():
                order.lines[key].shipped += quantity

        @precondition(lambda self: self.model.orders)
        @rule(which=st.integers(0, 9), share=shares)
        def cancel(self, which, share):
            self.take_back(which, share, "cancelled")

        @precondition(lambda self: self.model.orders)
        @rule(which=st.integers(0, 9), share=shares)
        def give_back(self, which, share):
            self.take_back(which, share, "returned")

        def take_back(self, which, share, how):
            order = self.model.orders[which % len(self.model.orders)]
            left = {
                key: line.quantity - line.cancelled - line.shipped
                if how == "cancelled"
                else line.shipped - line.returned
                for key, line in order.lines.items()
            }
            wanted = {key: units - units * share // 5 for key, units in left.items() if units}
            if not wanted:
                return
            if how == "cancelled":
                self.run(
                    cancel_order,
                    **self.said(actor=world.account, ref=order.ref, quantities=wanted, reason="Not wanted"),
                )
            else:
                counter["steps"] += 1
                counter["return_order"] += 1
                world.take_back(order.ref, at=self.at, quantities=wanted)
            rate = RATES[order.year]
            before = sum(line.credit(rate) for line in order.lines.values())
            for key, quantity in wanted.items():
                line = order.lines[key]
                setattr(line, how, getattr(line, how) + quantity)
            after = sum(line.credit(rate) for line in order.lines.values())
            self.posted(0, self.posting_year(order.year), SALES, after - before, self.today)

        @rule(dealer=st.integers(0, 1), amount=amounts, back=st.integers(0, 120), is_purchase=st.booleans())
        def by_hand(self, dealer, amount, back, is_purchase):
            day = self.today - timedelta(days=back)
            kind = OTHER if is_purchase else SALES
            said = {
                "actor": world.program,
                "dealer_code": dealers[dealer].company_code,
                "amount_cents": amount,
            }
            refused = "year_closed" if day.year in self.model.closed else ""
            if is_purchase:
                answer = self.run(
                    record_other_purchase, refused=refused,
                    **self.said(**said, purchased_on=day, document="INV", reason="Invoice"),
                )  # fmt: skip
            else:
                answer = self.run(
                    adjust_credit, refused=refused, **self.said(**said, effective_on=day, reason="Mistake")
                )
            if answer is not None:
                place = self.posted(dealer, day.year, kind, amount, day)
                self.model.by_hand.append(Entry(dealer, day.year, kind, place, amount, day))

        @rule(giver=st.integers(0, 1), amount=st.integers(1, 50_000), kind=st.sampled_from([SALES, OTHER]))
        def transfer(self, giver, amount, kind):
            answer = self.run(
                transfer_credit, **self.said(
                    actor=world.program, from_dealer_code=dealers[giver].company_code,
                    to_dealer_code=dealers[1 - giver].company_code, account_kind=kind, amount_cents=amount,
                    effective_on=self.today, reason="Number changed hands",
                )
            )  # fmt: skip
            assert answer is not None
            self.posted(giver, self.today.year, kind, -amount, self.today)
            self.posted(1 - giver, self.today.year, kind, amount, self.today)

        @precondition(lambda self: self.model.by_hand)
        @rule(which=st.integers(0, 9))
        def reverse(self, which):
            entry = self.model.by_hand[-1 - which % len(self.model.by_hand)]
            answer = self.run(
                reverse_entry, refused="already_reversed" if entry.is_reversed else "", **self.said(
                    actor=world.program, dealer_code=dealers[entry.dealer].company_code, program_year=entry.year,
                    account_kind=entry.kind, sequence=entry.sequence, effective_on=self.today, reason="Wrong",
                )
            )  # fmt: skip
            if answer is not None:
                entry.is_reversed = True
                self.posted(
                    entry.dealer, self.posting_year(entry.year), entry.kind, -entry.amount, self.today
                )

        @rule()
        def close(self):
            said = {"actor": world.program, "at": self.at, "program_year": 2026}
            refused = (
                "year_not_over" if self.today.year == 2026 else "year_closed" if self.model.closed else ""
            )
            if not self.run(start_closing, refused=refused, reason="", open_items=(), **said):
                return
            levels = {dealer: self.model.level(dealer, 2026) for dealer in (0, 1)}
            for dealer in dealers:
                self.run(close_dealer_year, dealer_id=dealer.company_id, **said)
            assert self.run(finish_closing, **said).finished_at is not None
            self.model.closed[2026] = levels
            self.touched |= {(dealer, 2026, kind) for dealer in (0, 1) for kind in (SALES, OTHER)}

        # what must hold after each of them ------------------------------------------------------

        def check_invariants(self, *arguments, **keywords):
            """Compare all balances, and the statements and levels of what the step moved (of all now and then)."""
            super().check_invariants(*arguments, **keywords)
            model = self.model
            moved = {(number, year) for number, year, _ in self.touched}
            heads = {
                (row.dealer_id, row.program_year, row.kind): (row.sequence, row.balance_cents)
                for row in tx.execute(sa.select(LedgerAccount.__table__))
            }
            for number, dealer in enumerate(dealers):
                for year in RATES:
                    issued = 0
                    for kind in (SALES, OTHER):
                        lines = model.accounts[number, year, kind]
                        expected = (len(lines), model.balance(number, year, kind))
                        assert heads.get((dealer.company_id, year, kind), (0, 0)) == expected
                        issued -= expected[1]
                    assert heads.get((dealer.company_id, year, AccountKind.ISSUANCE), (0, 0))[1] == issued
                    if (number, year) in moved or counter["steps"] % 10 == 0:
                        found = credit_year(tx, dealer_id=dealer.company_id, program_year=year)
                        assert found.standing.level.name == model.level(number, year)
            for number, year, kind in self.touched:
                lines = statement_lines(
                    tx, dealer_id=dealers[number].company_id, program_year=year, account_kind=kind
                )
                running, expected = 0, []
                for place, (amount, day) in enumerate(model.accounts[number, year, kind], start=1):
                    running += amount
                    expected.append((place, amount, running, day))
                assert [
                    (line.sequence, line.amount_cents, line.balance_cents, line.effective_on)
                    for line in lines
                ] == expected
            self.touched.clear()

    return Machine


def test_ten_thousand_steps_agree_with_the_model(tx):
    counter = defaultdict(int)
    machine = make_machine(tx, counter)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=STEPS_WANTED // STEPS + 30,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,  # the same steps on both databases
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert counter["steps"] >= STEPS_WANTED, counter
    verbs = {
        "approve_revision", "place_order", "ship_order", "cancel_order", "return_order", "adjust_credit",
        "record_other_purchase", "transfer_credit", "reverse_entry", "start_closing",
    }  # fmt: skip
    assert all(counter[verb] >= 20 for verb in verbs), counter
