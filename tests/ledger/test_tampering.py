"""Tamperings by raw SQL as the owner of the database, and what finds each: the table of docs/proof.md."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import current_app

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.evidence import Checkpoint, Evidence
from ledger.operations.adjustments import adjust_credit
from ledger.operations.checkpoints import take_checkpoint
from ledger.queries.checkpoints import heads_moved, kept_faults
from ledger.rules.checkpoints import read_checkpoint
from ledger.states import EntryKind, EvidenceKind
from quotes.models.bills import DesignFile
from quotes.models.orders import Order, OrderLine
from quotes.models.projects import MilestoneEntry
from quotes.models.quotes import Approval, Revision, RevisionLine
from quotes.models.recalls import PriceRecall
from quotes.models.replacements import Replacement, ReplacementLine
from quotes.models.services import ServiceAgreement, ServiceOffer, ServiceOfferLine
from quotes.operations.design_files import attach_design_file
from quotes.operations.projects import set_milestone
from quotes.operations.quotes import ServiceInput
from quotes.operations.recalls import recall_prices
from quotes.operations.replacements import order_replacement
from quotes.operations.services import counter_services
from quotes.queries.order_digests import order_digest
from quotes.queries.order_page import order_page
from quotes.states import MilestoneKind, ServiceKind
from referral.models import AuditEvent, Company, Continuation, Delegation, Upload
from referral.operations.assignments import continue_referral
from referral.operations.delegations import lend_decision
from referral.permissions import Role
from referral.queries.people import viewer_of
from referral.signing import load_signer
from tests.factories import AT, make_dealer, make_user, make_world
from tests.tampering import copy_entry, do, rechain, rechain_evidence
from tests.warranty.test_claims import add_terms
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource, SerialNumber, SourceEvent
from warranty.models.terms import WarrantyTerm
from warranty.operations.claims import open_claim
from warranty.operations.claims_deciding import decide_claim

LESS = [ServiceInput(ServiceKind.INSTALL, "Installation", 80_000)]
DOCS = Path(__file__).parent.parent.parent / "docs" / "proof.md"


class Scene:
    """Two dealers, orders, an approval without order, adjustments; a checkpoint over all of it."""

    def __init__(self, tx):
        self.tx = tx
        self.world = make_world(tx)
        self.dealer = self.world.dealer.company_id
        add_terms(tx, self.world.program)
        _, first = self.world.order()
        self.order, _ = self.world.order()
        self.keep(first)
        self.adjust("before")
        self.waiting = self.world.approve()
        other = make_dealer(tx, self.world.program)
        self.other = other.company_id
        self.adjust("other", dealer_code=other.company_code)
        self.adjust("other-2", dealer_code=other.company_code)
        tx.flush()
        self.signer = load_signer(Path(current_app.config["SIGNING_KEY"]))
        self.file = self.checkpoint()

    def keep(self, ordered):
        """Make a row of every table that is kept beside the ledger; the order given ships, and a unit fails."""
        tx, world = self.tx, self.world
        world.ship(ordered)
        (line, *_) = order_page(tx, viewer=world.account, ref=ordered).lines
        builds, decides = {"actor": world.account, "at": AT}, {"actor": world.dealer, "at": AT}
        order_replacement(
            tx, **builds, ref=ordered, quantities={line.line_id: 1}, reason="Dark", failed_on=AT.date(),
            idempotency_key="replacement",
        )  # fmt: skip
        self.claim(line.line_id)
        ref = world.draft()
        attach_design_file(tx, **builds, ref=ref, filename="plan.txt", content=b"Hall: 4")
        world.submit(ref)
        offer = {"ref": ref, "revision_number": 1, "services": LESS, "note": "Less"}
        counter_services(tx, **decides, offer_number=1, **offer)
        colleague = make_user(tx, tx.get_one(Company, self.dealer), Role.DEALER_VIEWER)
        lend_decision(
            tx, **decides, approver_id=world.dealer.user_id, delegate_id=colleague.user_id, first_on=AT.date(),
            last_on=AT.date(),
        )  # fmt: skip
        tx.flush()
        delegate = viewer_of(tx, colleague.user_id, at=AT)
        world.approve(world.submit(), actor=delegate, typed_name=delegate.name)
        program = {"actor": world.program, "at": AT, "reason": "Wrong"}
        recall_prices(tx, **program, version=1, model_numbers=["L3I-STRIP"])
        project = world.refer()
        continue_referral(tx, **program, ref=project, last_on=AT.date())
        days = dict.fromkeys(("planned_on", "forecast_on", "actual_on"), AT.date())
        set_milestone(
            tx,
            **builds,
            ref=project,
            kind=MilestoneKind.INSTALL,
            number=0,
            **days,
            owner="Jo",
            slip_reason="",
        )
        tx.flush()

    def claim(self, line_id):
        """A unit of the line failed, is covered by terms, and its claim is accepted."""
        tx, world = self.tx, self.world
        source = tx.scalars(
            sa.select(InstalledSource).where(
                InstalledSource.line_id == line_id, InstalledSource.replacement_number.is_(None)
            )
        ).one()
        ref = f"-{world.dealer.company_code}-"
        open_claim(
            tx, actor=world.dealer, at=AT, ref=f"U{ref}{source.number}", quantity=1, problem="Dark",
            failed_on=AT.date(), idempotency_key="claim",
        )  # fmt: skip
        decide_claim(tx, actor=world.account, at=AT, ref=f"C{ref}1", is_accepted=True, reason="")

    def adjust(self, key, **overrides):
        """Post 5.00 to the first dealer by hand, unless overridden."""
        said = {
            "actor": self.world.program,
            "at": AT,
            "dealer_code": self.world.dealer.company_code,
            "effective_on": date(2026, 5, 4),
            "amount_cents": 500,
            "reason": "Counted twice",
            "idempotency_key": key,
        }
        return adjust_credit(self.tx, **(said | overrides))

    def checkpoint(self, **overrides):
        """Take a checkpoint."""
        said = {"actor": None, "at": AT, "signer": self.signer}
        return take_checkpoint(self.tx, **(said | overrides))

    def entries(self, dealer_id=None):
        """Return the entries of a dealer, the first one unless named, in order."""
        return self.tx.scalars(
            sa.select(LedgerEntry)
            .where(LedgerEntry.dealer_id == (dealer_id or self.dealer))
            .order_by(LedgerEntry.issuance_sequence)
        ).all()

    def found_by(self):
        """What finds something: `verify`, `verify --checkpoint FILE`, or nothing."""
        self.tx.expire_all()
        finders = []
        if [fault for check in current_app.extensions["ledger_checks"] for fault in check(self.tx)]:
            finders.append("verify")
        if list(kept_faults(self.tx, self.file, self.signer.public_key)):
            finders.append("checkpoint")
        return finders


@pytest.fixture
def scene(tx):
    return Scene(tx)


def entry(values, number=1):
    """Change columns of one entry of the first dealer."""

    def tamper(scene):
        chosen = scene.entries()[number]
        do(scene.tx, sa.update(LedgerEntry.__table__).where(LedgerEntry.id == chosen.id).values(values))

    return tamper


def of_order(table, values):
    """Change columns of a row of the second order."""

    def tamper(scene):
        key = table.id if table is Order else table.order_id
        do(scene.tx, sa.update(table.__table__).where(key == scene.order.id).values(values))

    return tamper


def of_approval(values):
    """Change columns of the approval that no order stands on yet."""

    def tamper(scene):
        tables = scene.tx.execute(
            sa.select(Approval.quote_id).outerjoin(
                Order, sa.and_(Order.dealer_id == Approval.dealer_id, Order.quote_id == Approval.quote_id)
            ).where(Order.id.is_(None), Approval.on_behalf_of.is_(None))
        )  # fmt: skip
        (quote_id,) = tables.one()
        chosen = values(scene) if callable(values) else values
        do(scene.tx, sa.update(Approval.__table__).where(Approval.quote_id == quote_id).values(chosen))

    return tamper


def change(table, **values):
    """Change columns of every row of a table."""
    return lambda scene: do(scene.tx, sa.update(table.__table__).values(values))


def remove(*tables):
    """Remove every row of these tables, in this order."""
    return lambda scene: do(scene.tx, *(sa.delete(table.__table__) for table in tables))


def drop_counter(scene):
    """The dealer's offer for the services is gone with its lines."""
    do(
        scene.tx,
        sa.delete(ServiceOfferLine.__table__).where(ServiceOfferLine.offer_number > 1),
        sa.delete(ServiceOffer.__table__).where(ServiceOffer.number > 1),
    )


def drop_replacement(scene):
    """The warranty replacement is gone with the installed source that it became."""
    became = sa.select(InstalledSource.id).where(InstalledSource.replacement_number.is_not(None))
    do(
        scene.tx,
        sa.delete(SourceEvent.__table__).where(SourceEvent.source_id.in_(became)),
        sa.delete(InstalledSource.__table__).where(InstalledSource.replacement_number.is_not(None)),
        sa.delete(ReplacementLine.__table__),
        sa.delete(Replacement.__table__),
    )


def drop_last_event(scene):
    last = (
        sa.select(SourceEvent.source_id, SourceEvent.number).order_by(SourceEvent.number.desc()).limit(1)
    ).subquery()
    source_id, number = scene.tx.execute(sa.select(last)).one()
    do(
        scene.tx,
        sa.delete(SourceEvent.__table__).where(
            SourceEvent.source_id == source_id, SourceEvent.number == number
        ),
    )


def owe_to_dealer(scene):
    """The sources say that the dealer itself owes their warranty."""
    change(InstalledSource, account_id=scene.dealer)(scene)


def add_serial(scene):
    said = {"serial": "SN-1", "dealer_id": scene.dealer, "source_id": scene.dealer}
    do(scene.tx, sa.insert(SerialNumber.__table__).values(said))


def exchange_design_file(scene):
    do(
        scene.tx,
        sa.update(Upload.__table__)
        .where(Upload.id.in_(sa.select(DesignFile.upload_id)))
        .values(content=b"Hall: 5"),
    )


def lend_to_approver(scene):
    """The approval of a delegate says that it was on somebody else's behalf."""
    do(
        scene.tx,
        sa.update(Approval.__table__)
        .where(Approval.on_behalf_of.is_not(None))
        .values(on_behalf_of=scene.world.account.user_id),
    )


def cut_middle(scene):
    do(scene.tx, sa.delete(LedgerEntry.__table__).where(LedgerEntry.id == scene.entries(scene.other)[0].id))


def swap(scene):
    first, second, _ = scene.entries()
    do(
        scene.tx,
        sa.update(LedgerEntry.__table__).where(LedgerEntry.id == first.id).values(sequence=900),
        sa.update(LedgerEntry.__table__).where(LedgerEntry.id == second.id).values(sequence=1),
        sa.update(LedgerEntry.__table__).where(LedgerEntry.id == first.id).values(sequence=2),
    )


def cut_tail(scene):
    do(scene.tx, sa.delete(LedgerEntry.__table__).where(LedgerEntry.id == scene.entries()[-1].id))


def cut_tail_and_mend(scene):
    cut_tail(scene)
    rechain(scene.tx, scene.dealer)


def cut_order_and_mend(scene):
    """The whole order is gone: entry, order, lines, its row of evidence; everything else fits."""
    order = scene.order
    do(
        scene.tx,
        sa.delete(OrderLine.__table__).where(OrderLine.order_id == order.id),
        sa.delete(Order.__table__).where(Order.id == order.id),
        sa.delete(LedgerEntry.__table__).where(LedgerEntry.id == order.entry_id),
        sa.delete(Evidence.__table__).where(
            Evidence.kind == EvidenceKind.ORDER, Evidence.content_digest == order.digest
        ),
    )
    rechain(scene.tx, scene.dealer)
    rechain_evidence(scene.tx, scene.dealer)


def rewrite(scene):
    """An adjustment is ten times as large, and the whole chain is computed anew."""
    entry({"amount_cents": 5000}, number=2)(scene)
    rechain(scene.tx, scene.dealer)


def drop_account(scene):
    do(
        scene.tx,
        sa.delete(LedgerEntry.__table__).where(LedgerEntry.dealer_id == scene.other),
        sa.delete(LedgerAccount.__table__).where(LedgerAccount.dealer_id == scene.other),
    )


def move_credit(scene):
    """The first dealer's adjustment is the other dealer's, and both chains are computed anew."""
    moved = scene.entries()[2]
    do(
        scene.tx,
        sa.update(LedgerEntry.__table__)
        .where(LedgerEntry.id == moved.id)
        .values(dealer_id=scene.other, sequence=600, issuance_sequence=600, idempotency_key="moved"),
    )
    rechain(scene.tx, scene.dealer)
    rechain(scene.tx, scene.other)


def credit_twice(scene):
    """A second, perfectly chained credit for one order."""
    copy_entry(scene.tx, scene.entries()[1])
    rechain(scene.tx, scene.dealer)


def forge_tail(scene):
    """An entry at the end whose digests are invented."""
    copy_entry(scene.tx, scene.entries()[2], sequence=4, issuance_sequence=4, balance_cents=0)


def replace_tail(scene):
    """The last entry is replaced by another one, perfectly chained."""
    last = scene.entries()[2]
    copy_entry(scene.tx, last, memo="Something else", amount_cents=50_000)
    do(scene.tx, sa.delete(LedgerEntry.__table__).where(LedgerEntry.id == last.id))
    rechain(scene.tx, scene.dealer)


def forge_after(scene):
    """A perfectly chained adjustment after the last checkpoint."""
    copy_entry(scene.tx, scene.entries()[2], memo="A present")
    rechain(scene.tx, scene.dealer)


def change_head(scene):
    do(scene.tx, sa.update(LedgerAccount.__table__).values(balance_cents=LedgerAccount.balance_cents + 1))


def old_backup(scene):
    """The database is put back to an earlier state, whole: an entry, the checkpoint and its record are gone."""
    cut_tail_and_mend(scene)
    do(
        scene.tx,
        sa.delete(Checkpoint.__table__),
        sa.delete(AuditEvent.__table__).where(AuditEvent.event == "checkpoint.taken"),
    )


def drop_approval(scene):
    """An approval that no order stands on is gone, with its evidence; the evidence is computed anew."""
    of_approval({"digest": "0" * 64})(scene)
    gone = sa.select(Approval.quote_id).where(Approval.digest == "0" * 64).scalar_subquery()
    last = sa.select(sa.func.max(Evidence.sequence)).where(Evidence.kind == EvidenceKind.APPROVAL)
    do(
        scene.tx,
        sa.update(Revision.__table__).where(Revision.quote_id == gone).values(state="submitted"),
        sa.delete(Approval.__table__).where(Approval.digest == "0" * 64),
        sa.delete(Evidence.__table__).where(
            Evidence.kind == EvidenceKind.APPROVAL, Evidence.sequence == last.scalar_subquery()
        ),
    )
    rechain_evidence(scene.tx, scene.dealer)


def drop_evidence(scene):
    do(
        scene.tx,
        sa.delete(Evidence.__table__).where(Evidence.dealer_id == scene.dealer, Evidence.sequence == 2),
    )


def other_key(scene):
    """The checkpoint is signed anew with a key of the forger's own."""
    do(scene.tx, sa.update(Checkpoint.__table__).values(public_key="ab" * 32))


def change_checkpoint(scene):
    do(scene.tx, sa.update(Checkpoint.__table__).values(entries=Checkpoint.entries + 1))


BOTH, VERIFY, CHECKPOINT, NOTHING = ["verify", "checkpoint"], ["verify"], ["checkpoint"], []
ANOTHER_DAY, BEFORE = date(2026, 5, 3), date(2026, 4, 1)

TAMPERINGS = {
    "amount of an entry changed": (entry({"amount_cents": 1}), VERIFY),
    "memo changed": (entry({"memo": "Otherwise"}), VERIFY),
    "effective day changed": (entry({"effective_on": ANOTHER_DAY}), VERIFY),
    "instant of posting changed": (entry({"posted_at": AT + timedelta(days=1)}), VERIFY),
    "person changed": (entry({"actor_id": None}), VERIFY),
    "kind of an entry changed": (entry({"kind": EntryKind.ORDER}, number=2), VERIFY),
    "balance of a posting changed": (entry({"balance_cents": 7}, number=2), BOTH),
    "head of an account changed": (change_head, VERIFY),
    "purchase order of an order changed": (of_order(Order, {"purchase_order": "PO-9"}), VERIFY),
    "quantity of an order line changed": (
        of_order(OrderLine, {"quantity": 11, "amount_cents": OrderLine.list_price_cents * 11}),
        VERIFY,
    ),
    "credit of an order line changed": (
        of_order(OrderLine, {"credit_cents": OrderLine.credit_cents * 2}),
        VERIFY,
    ),
    "approver changed": (of_approval(lambda scene: {"approved_by": scene.world.account.user_id}), VERIFY),
    "attested text changed": (of_approval({"attestation_text": "{}"}), VERIFY),
    "typed account number changed": (of_approval({"typed_account_number": "1"}), VERIFY),
    "price of an agreed service changed": (
        lambda scene: do(scene.tx, sa.update(ServiceOfferLine.__table__).values(amount_cents=1)),
        VERIFY,
    ),
    "agreement to services removed": (
        lambda scene: do(scene.tx, sa.delete(ServiceAgreement.__table__)),
        VERIFY,
    ),
    "offer for services removed whole": (drop_counter, VERIFY),
    "note of an offer for services changed": (change(ServiceOffer, note="More"), VERIFY),
    "wanted day of an order changed": (of_order(Order, {"wanted_on": ANOTHER_DAY}), VERIFY),
    "person behind a delegate changed": (lend_to_approver, VERIFY),
    "lending behind a delegate's approval removed": (remove(Delegation), VERIFY),
    "last day of a lending changed": (change(Delegation, first_on=BEFORE, last_on=BEFORE), VERIFY),
    "recall of a price removed": (remove(PriceRecall), VERIFY),
    "reason of a recall changed": (change(PriceRecall, reason="Right"), VERIFY),
    "instant of a recall changed": (change(PriceRecall, recalled_at=AT - timedelta(days=1)), VERIFY),
    "warranty replacement removed whole": (drop_replacement, VERIFY),
    "day a replaced unit failed changed": (change(Replacement, failed_on=ANOTHER_DAY), VERIFY),
    "units of a warranty replacement changed": (change(ReplacementLine, quantity=2), VERIFY),
    "failure of a warranty claim changed": (change(Claim, failed_on=ANOTHER_DAY), VERIFY),
    "answer of a warranty claim changed": (
        change(Claim, answer=sa.func.replace(Claim.answer, "D3", "D4")),
        VERIFY,
    ),
    "warranty claim accepted as goodwill afterwards": (
        change(Claim, is_goodwill=True, reason="Nice"),
        VERIFY,
    ),
    "warranty claim removed": (remove(Claim), VERIFY),
    "day of an installed source's event changed": (change(SourceEvent, happened_on=BEFORE), VERIFY),
    "last event of an installed source removed": (drop_last_event, VERIFY),
    "last covered day of an installed source changed": (change(InstalledSource, ends_on=ANOTHER_DAY), VERIFY),
    "account that owes a warranty changed": (owe_to_dealer, VERIFY),
    "serial number of no installed source added": (add_serial, VERIFY),
    "months of warranty terms changed": (change(WarrantyTerm, months=WarrantyTerm.months + 12), VERIFY),
    "warranty terms removed": (remove(WarrantyTerm), VERIFY),
    "design file exchanged": (exchange_design_file, VERIFY),
    "digest of a design file changed": (change(DesignFile, sha256="0" * 64), VERIFY),
    "last day of a continued project changed": (change(Continuation, last_on=BEFORE), VERIFY),
    "day of a milestone changed": (change(MilestoneEntry, actual_on=ANOTHER_DAY), VERIFY),
    "milestone removed": (remove(MilestoneEntry), VERIFY),
    "quantity of an approved line changed": (
        lambda scene: do(
            scene.tx, sa.update(RevisionLine.__table__).values(quantity=RevisionLine.quantity + 1)
        ),
        VERIFY,
    ),
    "entry removed from the middle": (cut_middle, VERIFY),
    "two entries swapped": (swap, VERIFY),
    "tail cut, head left": (cut_tail, BOTH),
    "tail cut, head mended": (cut_tail_and_mend, CHECKPOINT),
    "order removed with its credit and evidence, everything mended": (cut_order_and_mend, CHECKPOINT),
    "approval removed with its evidence, everything mended": (drop_approval, CHECKPOINT),
    "row of evidence removed": (drop_evidence, VERIFY),
    "amount changed and the whole chain rewritten": (rewrite, CHECKPOINT),
    "account dropped with its entries": (drop_account, CHECKPOINT),
    "credit moved to another dealer, both chains rewritten": (move_credit, CHECKPOINT),
    "second credit for one order, well chained": (credit_twice, VERIFY),
    "forged tail with invented digests": (forge_tail, VERIFY),
    "tail replaced by another, well chained": (replace_tail, CHECKPOINT),
    "old backup put back whole": (old_backup, CHECKPOINT),
    "checkpoint in the database changed": (change_checkpoint, VERIFY),
    "checkpoint signed with another key": (other_key, VERIFY),
    "forged adjustment after the last checkpoint, well chained": (forge_after, NOTHING),
}


def test_nothing_is_found_where_nobody_tampered(scene):
    assert scene.found_by() == []


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_by(scene, name):
    tamper, expected = TAMPERINGS[name]
    tamper(scene)
    found = scene.found_by()
    assert found == expected or (expected == VERIFY and found == BOTH), found


def test_a_wanted_day_put_on_an_order_from_before_there_were_any_is_found(scene):
    """Its recipe knows none, so that the digest of then must not hold with one."""
    approval = scene.tx.get_one(
        Approval, (scene.order.dealer_id, scene.order.quote_id, scene.order.revision_number)
    )
    order = scene.order
    order.digest_version, order.wanted_on = 2, None
    digest = order_digest(order, [], approval)
    order.wanted_on = ANOTHER_DAY
    assert order_digest(order, [], approval) != digest
    scene.tx.expire(order)


def test_a_forgery_after_the_last_checkpoint_is_seen_from_the_next_one_on_if_it_is_taken_back(scene):
    """What came after the last checkpoint is the blind spot: it ends with the next checkpoint."""
    scene.adjust("late")
    scene.file = scene.checkpoint(at=AT + timedelta(minutes=1))
    cut_tail_and_mend(scene)
    assert scene.found_by() == CHECKPOINT


def test_a_file_that_was_changed_is_no_checkpoint(scene):
    content = scene.file.write()
    assert read_checkpoint(content) == scene.file
    with pytest.raises(ValueError, match="changed"):
        read_checkpoint(content.replace(b" sales_credit 3 ", b" sales_credit 2 ", 1))
    with pytest.raises(ValueError, match="not a checkpoint"):
        read_checkpoint(b"{}")


def test_a_checkpoint_follows_the_one_before_where_something_moved(scene):
    assert not heads_moved(scene.tx)
    scene.adjust("late")
    assert heads_moved(scene.tx)
    following = scene.checkpoint()
    assert (following.number, following.previous_digest) == (2, scene.file.digest)


def test_the_docs_have_the_table_of_tamperings():
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    words = {tuple(BOTH): "verify", tuple(VERIFY): "verify", tuple(CHECKPOINT): "verify --checkpoint",
             tuple(NOTHING): "neither"}  # fmt: skip
    expected = [f"| {name} | {words[tuple(found)]} |" for name, (_, found) in TAMPERINGS.items()]
    assert [line for line in lines if line in expected] == expected
