"""Services and labor: proposed, countered and agreed by each side, with history (program rules, section 4)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from ledger.models.evidence import Evidence
from ledger.states import EvidenceKind
from quotes.models.quotes import Approval, Revision
from quotes.models.services import ServiceAgreement, ServiceOffer, ServiceOfferLine
from quotes.operations.decisions import decline_revision, request_changes
from quotes.operations.orders import place_order
from quotes.operations.quotes import ServiceInput, start_revision
from quotes.operations.services import agree_services, counter_services
from quotes.queries.evidence_verification import evidence_faults
from quotes.queries.quote_view import quote_view
from quotes.queries.quotes import quote_page
from quotes.queries.verification import quote_faults
from quotes.rules.content import ContentService
from quotes.rules.diff import Change
from quotes.rules.services import diff_services
from quotes.states import RevisionState, ServiceKind, ServicesState, Side
from referral.clock import now
from referral.models import AuditEvent, Company, OutgoingMail
from referral.permissions import Role
from tests.factories import AT, everything, make_account, make_dealer, make_user, make_world, refused, user_of
from tests.tampering import do
from tests.tokens import token_of

EXPIRED = datetime(2026, 6, 4, 15, 0, tzinfo=UTC)
LESS = [ServiceInput(ServiceKind.INSTALL, "Installation", 80000)]
INSTALL = ContentService(ServiceKind.INSTALL, "Installation", 100000)


@pytest.fixture
def world(tx):
    return make_world(tx)


def countering(world, ref, who="dealer", **overrides):
    said = {"actor": getattr(world, who), "at": AT, "ref": ref, "revision_number": 1}
    return said | {"offer_number": 1, "services": LESS, "note": "Our electrician pulls the wire."} | overrides


def agreeing(world, ref, who="dealer", **overrides):
    said = {"actor": getattr(world, who), "at": AT, "ref": ref, "revision_number": 1, "offer_number": 1}
    return said | overrides


def talk(world, ref, who="dealer", **overrides):
    said = {"viewer": getattr(world, who), "at": AT, "ref": ref, "revision_number": 1}
    return quote_view(world.tx, **(said | overrides)).talk


def ordering(world, ref):
    said = {"actor": world.account, "at": AT, "ref": ref, "revision_number": 1, "quantities": None}
    return said | {"purchase_order": "PO-1", "idempotency_key": "key"}


def faults(tx):
    tx.flush()
    return [*quote_faults(tx), *evidence_faults(tx)]


# to and fro -------------------------------------------------------------------------------------


def test_services_are_proposed_countered_and_agreed_by_each_side_with_history(tx, world):
    ref = world.submit()
    counter_services(tx, **countering(world, ref))
    counter_services(
        tx,
        **countering(
            world,
            ref,
            "account",
            offer_number=2,
            services=[
                ServiceInput(ServiceKind.INSTALL, "Installation", 90000),
                ServiceInput(ServiceKind.DESIGN, "Drawings", 5000),
            ],
            note="",
        ),
    )
    assert talk(world, ref).may_agree
    assert not talk(world, ref, "account").may_agree
    assert talk(world, ref, "account").may_answer
    agree_services(tx, **agreeing(world, ref, offer_number=3))
    told = talk(world, ref)
    assert [(row.number, row.side, row.total_cents, row.by) for row in told.offers] == [
        (1, Side.ACCOUNT, 100000, world.account.name),
        (2, Side.DEALER, 80000, world.dealer.name),
        (3, Side.ACCOUNT, 95000, world.account.name),
    ]
    assert [[change.change for change in row.changes] for row in told.offers] == [
        [],
        [Change.CHANGED],
        [Change.CHANGED, Change.ADDED],
    ]
    assert told.offers[1].note == "Our electrician pulls the wire."
    assert (told.agreed.offer_number, told.agreed.by, told.state) == (3, world.dealer.name, "agreed")
    events = list(tx.scalars(sa.select(AuditEvent.event).where(AuditEvent.event.like("services.%"))))
    assert sorted(events) == ["services.agreed", "services.offered", "services.offered"]
    subjects = list(
        tx.scalars(sa.select(OutgoingMail.subject).where(OutgoingMail.subject.contains("services")))
    )
    assert len(subjects) == 3
    assert faults(tx) == []


def test_the_same_offer_sent_twice_is_one_offer(tx, world):
    ref = world.submit()
    made = counter_services(tx, **countering(world, ref))
    tx.flush()
    before = everything(tx)
    assert counter_services(tx, **countering(world, ref)) is made
    tx.flush()
    assert everything(tx) == before
    refused(tx, "stale_offer", counter_services, **countering(world, ref, note="Otherwise."))
    refused(tx, "stale_offer", counter_services, **countering(world, ref, "account"))


def test_what_stands_is_the_agreed_offer_and_until_then_the_newest(tx, world):
    ref = world.submit()
    digest = world.digest(ref)
    counter_services(tx, **countering(world, ref))
    page = quote_page(tx, viewer=world.account, at=AT, ref=ref)
    assert page.totals.services_cents == 80000
    agree_services(tx, **agreeing(world, ref, "account", offer_number=2))
    page = quote_page(tx, viewer=world.account, at=AT, ref=ref)
    assert (page.totals.services_cents, page.revision.digest) == (80000, digest)
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    draft = quote_page(tx, viewer=world.account, at=AT, ref=ref)
    assert (draft.revision.number, draft.totals.services_cents) == (2, 80000)


def test_the_agreement_is_in_the_evidence(tx, world):
    ref = world.submit()
    agree_services(tx, **agreeing(world, ref))
    rows = list(tx.scalars(sa.select(Evidence.subject).where(Evidence.kind == EvidenceKind.SERVICES)))
    assert rows == [f"{ref}.1"]
    assert faults(tx) == []


def test_agreeing_twice_is_one_agreement(tx, world):
    ref = world.submit()
    first = agree_services(tx, **agreeing(world, ref))
    again = agree_services(tx, **agreeing(world, ref, at=EXPIRED))
    assert first is again
    assert tx.scalar(sa.select(sa.func.count()).select_from(ServiceAgreement)) == 1


# approval and order -----------------------------------------------------------------------------


def test_approving_agrees_to_the_account_s_newest_offer(tx, world):
    ref = world.submit()
    world.approve(ref, offer_number=1)
    agreement = tx.scalars(sa.select(ServiceAgreement)).one()
    assert (agreement.offer_number, agreement.side, agreement.agreed_by) == (
        1,
        Side.DEALER,
        world.dealer.user_id,
    )
    world.order(ref)
    assert faults(tx) == []


def test_approving_refuses_an_offer_that_is_not_the_newest_one_read(tx, world):
    ref = world.submit()
    counter_services(tx, **countering(world, ref))
    counter_services(tx, **countering(world, ref, "account", offer_number=2))
    with pytest.raises(Exception, match="digest_mismatch"):
        world.approval(ref, offer_number=1)
    with pytest.raises(Exception, match="digest_mismatch"):
        world.approval(ref)
    assert tx.scalar(sa.select(sa.func.count()).select_from(Approval)) == 0
    world.approval(ref, offer_number=3)
    assert tx.scalars(sa.select(ServiceAgreement.offer_number)).one() == 3


def test_after_the_dealer_s_own_offer_approving_approves_the_products_and_no_order_comes_before_agreement(
    tx, world
):
    ref = world.submit()
    counter_services(tx, **countering(world, ref))
    world.approve(ref, offer_number=2)
    revision = tx.scalars(sa.select(Revision)).one()
    assert (revision.state, revision.services_state) == (RevisionState.APPROVED, ServicesState.PROPOSED)
    refused(tx, "services_not_agreed", place_order, **ordering(world, ref))
    refused(tx, "own_offer", agree_services, **agreeing(world, ref, offer_number=2))
    agree_services(tx, **agreeing(world, ref, "account", offer_number=2))
    tx.flush()
    place_order(tx, **ordering(world, ref))
    assert faults(tx) == []


def test_a_revision_without_services_has_no_talk(tx, world):
    ref = world.submit(services=[], has_no_services=True)
    assert talk(world, ref).offers == ()
    world.approve(ref)
    refused(tx, "not_pending", counter_services, **countering(world, ref))
    assert tx.scalar(sa.select(sa.func.count()).select_from(ServiceOffer)) == 0


# refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [agree_services, counter_services])
def test_the_talk_is_over_where_the_revision_is(tx, world, verb):
    said = {agree_services: agreeing, counter_services: countering}[verb]
    on_time = {"actor": world.dealer, "at": AT, "revision_number": 1, "reason": "Too dear."}
    refused(tx, "quote_expired", verb, **said(world, world.submit(), at=EXPIRED))
    declined, back = world.submit(), world.submit()
    decline_revision(tx, ref=declined, digest=world.digest(declined), **on_time)
    request_changes(tx, ref=back, digest=world.digest(back), **on_time)
    tx.flush()
    for ref in (declined, back):
        refused(tx, "not_pending", verb, **said(world, ref))
    start_revision(tx, actor=world.account, at=AT, ref=back)
    refused(tx, "not_found", verb, **said(world, back, "account", revision_number=2))
    world.submit(back, revision=2)
    refused(tx, "stale_revision", verb, **said(world, back))


@pytest.mark.parametrize("verb", [agree_services, counter_services])
def test_each_answer_names_the_newest_offer(tx, world, verb):
    said = {agree_services: agreeing, counter_services: countering}[verb]
    ref = world.submit()
    counter_services(tx, **countering(world, ref))
    refused(tx, "stale_offer", verb, **said(world, ref, "account"))
    refused(tx, "stale_offer", verb, **said(world, ref, "account", offer_number=3))


def test_nobody_agrees_to_an_own_offer(tx, world):
    ref = world.submit()
    refused(tx, "own_offer", agree_services, **agreeing(world, ref, "account"))


@pytest.mark.parametrize("verb", [agree_services, counter_services])
def test_who_may_not_speak_for_a_side_is_refused(tx, world, verb):
    said = {agree_services: agreeing, counter_services: countering}[verb]
    ref = world.submit()
    dealer = tx.get_one(Company, world.dealer.company_id)
    account = tx.get_one(Company, world.account.company_id)
    for person in (
        world.program,
        make_user(tx, dealer, Role.DEALER_VIEWER),
        make_user(tx, dealer, Role.DEALER_ADMIN),
        make_user(tx, account, Role.ACCOUNT_INSTALLER),
    ):
        refused(tx, "forbidden", verb, **said(world, ref, actor=person))
    for stranger in (make_dealer(tx, world.program), make_account(tx, world.program)):
        refused(tx, "not_found", verb, **said(world, ref, actor=stranger))


def test_an_offer_without_services_or_with_too_much_money_is_refused(tx, world):
    ref = world.submit()
    refused(tx, "invalid_input", counter_services, **countering(world, ref, services=[]))
    dear = [ServiceInput(ServiceKind.OTHER, "", 10**11)] * 200
    refused(tx, "invalid_input", counter_services, **countering(world, ref, services=dear[:1] * 201))


def test_after_the_agreement_there_are_no_more_offers(tx, world):
    ref = world.submit()
    agree_services(tx, **agreeing(world, ref))
    refused(tx, "not_pending", counter_services, **countering(world, ref))
    refused(tx, "not_pending", counter_services, **countering(world, ref, "account"))


# before there were offers -----------------------------------------------------------------------


def without_offers(tx):
    """The database as it was before there were offers: revisions with services, none of them offered."""
    do(
        tx,
        sa.delete(ServiceAgreement.__table__),
        sa.delete(ServiceOfferLine.__table__),
        sa.delete(ServiceOffer.__table__),
        sa.delete(Evidence.__table__).where(Evidence.kind == EvidenceKind.SERVICES),
    )
    tx.expire_all()


def test_a_revision_from_before_there_were_offers_reads_as_its_first_and_is_countered_alike(tx, world):
    ref = world.submit()
    without_offers(tx)
    told = talk(world, ref)
    assert [(row.number, row.side, row.total_cents) for row in told.offers] == [(1, Side.ACCOUNT, 100000)]
    assert told.may_agree
    counter_services(tx, **countering(world, ref))
    assert [row.total_cents for row in talk(world, ref).offers] == [100000, 80000]
    assert talk(world, ref).offers[0].by == world.account.name


def test_an_approval_from_before_there_were_offers_stands_as_the_agreement(tx, world):
    ref = world.approve()
    without_offers(tx)
    told = talk(world, ref)
    assert (told.agreed.offer_number, told.agreed.side, told.agreed.by) == (1, Side.DEALER, world.dealer.name)
    assert not list(quote_faults(tx))


# verification -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tampering",
    [
        lambda: sa.update(ServiceOfferLine.__table__).values(amount_cents=1),
        lambda: sa.update(ServiceOffer.__table__).values(note="Otherwise"),
        lambda: sa.delete(ServiceAgreement.__table__),
        lambda: sa.update(ServiceAgreement.__table__).values(agreed_at=EXPIRED),
        lambda: sa.update(Revision.__table__).values(services_state="proposed"),
    ],
)
def test_a_changed_byte_of_what_was_agreed_is_found(tx, world, tampering):
    agree_services(tx, **agreeing(world, world.submit()))
    assert faults(tx) == []
    do(tx, tampering())
    tx.expire_all()
    assert faults(tx)


# rules ------------------------------------------------------------------------------------------


def test_services_are_compared_by_kind_and_description_then_by_kind():
    other = ContentService(ServiceKind.INSTALL, "Rigging", 5)
    dearer = ContentService(ServiceKind.INSTALL, "Installation", 200000)
    design = ContentService(ServiceKind.DESIGN, "", 5)
    changes = diff_services([INSTALL, other], [other, dearer, design])
    assert [(each.change, each.before, each.after) for each in changes] == [
        (Change.SAME, other, other),
        (Change.CHANGED, INSTALL, dearer),
        (Change.ADDED, None, design),
    ]
    renamed = ContentService(ServiceKind.INSTALL, "Mounting", 5)
    assert [each.change for each in diff_services([other], [renamed])] == [Change.CHANGED]
    assert [each.change for each in diff_services([other, INSTALL], [INSTALL])] == [
        Change.SAME,
        Change.REMOVED,
    ]


# pages and API ----------------------------------------------------------------------------------


def test_both_sides_come_to_an_agreement_on_the_pages(client, tx, world):
    ref = world.submit(at=now())
    page = client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}")
    assert "Your turn on the services" in page.text
    client.click("Make another offer")
    said = {"services-0-amount": "800", "services-1-kind": "design", "services-1-amount": "50", "note": "So?"}
    client.submit("Make this offer", said)
    page = client.get(f"/quotes/{ref}")
    assert f"Waiting for {world.account.company_name} on the services" in page.text
    assert "approving the revision approves the products only" in page.text
    assert "$1,000.00 → $800.00" in page.text
    client.sign_in(user_of(tx, world.account))
    page = client.get(f"/quotes/{ref}")
    assert "So?" in page.text
    client.submit("Agree to offer 2")
    page = client.get(f"/quotes/{ref}")
    assert f"{world.account.name} of {world.account.company_name} agreed to offer 2" in page.text


def test_the_page_of_an_approval_sends_the_offer_that_was_read(client, tx, world):
    ref = world.submit(at=now())
    client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}")
    counter_services(tx, **countering(world, ref, at=now()))
    counter_services(tx, **countering(world, ref, "account", at=now(), offer_number=2))
    tx.commit()
    answers = {
        "attested_suitable": "y",
        "attested_reviewed": "y",
        "attested_complete": "y",
        "attested_account_number": "y",
        "typed_account_number": world.number,
        "typed_name": world.dealer.name,
    }
    page = client.submit("Approve revision 1", answers, status=409)
    assert "The content changed since you opened it" in page.text
    assert tx.scalar(sa.select(sa.func.count()).select_from(Approval)) == 0
    client.get(f"/quotes/{ref}")
    client.submit("Approve revision 1", answers)
    assert tx.scalars(sa.select(ServiceAgreement.offer_number)).one() == 3


def test_a_stale_answer_leads_to_the_newest_offer(client, tx, world):
    ref = world.submit(at=now())
    client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}")
    counter_services(tx, **countering(world, ref, at=now()))
    tx.commit()
    page = client.submit("Agree to offer 1", status=409)
    assert "There is a newer offer for the services" in page.text
    client.get(f"/quotes/{ref}/revisions/1/services/counter")
    page = client.submit("Make this offer", {"services-0-amount": "1e9"}, status=422)
    assert tx.scalar(sa.select(sa.func.count()).select_from(ServiceOffer)) == 2
    assert "Service 1, amount" in page.text


def test_services_are_offered_and_agreed_through_the_api(client, tx, world):
    ref = world.submit(at=now())
    path = f"/api/v1/quotes/{ref}/revisions/1/services"
    tokens = {who: token_of(tx, getattr(world, who)) for who in ("dealer", "account", "program")}
    tx.commit()
    body = {"offer": 1, "services": [{"kind": "install", "amount": "800.00"}], "note": "Less"}
    made = client.api("POST", f"{path}/offers", body, token=tokens["dealer"], status=201).json
    assert [offer["total"] for offer in made["offers"]] == ["1000.00", "800.00"]
    assert made["offers"][1]["changes"][0]["change"] == "changed"
    answer = client.api("POST", f"{path}/agree", {"offer": 1}, token=tokens["account"], status=409).json
    assert answer["code"] == "stale_offer"
    answer = client.api("POST", f"{path}/agree", {"offer": 2}, token=tokens["dealer"], status=409).json
    assert answer["code"] == "own_offer"
    agreed = client.api("POST", f"{path}/agree", {"offer": 2}, token=tokens["account"], status=200).json
    assert (agreed["services_state"], agreed["agreed"]["side"]) == ("agreed", "account")
    read = client.api("GET", f"{path}/offers", None, token=tokens["program"], status=200).json
    assert [offer["is_agreed"] for offer in read["offers"]] == [False, True]


def test_the_page_s_statements_do_not_grow_with_the_offers(tx, world):
    one, many = world.submit(), world.submit()
    for number in range(1, 7):
        who = "dealer" if number % 2 else "account"
        counter_services(tx, **countering(world, many, who, offer_number=number, services=LESS * number))
    counts = []
    for ref in (one, many):
        tx.commit()
        counts.append(0)

        def count(*_args, **_kwargs):
            counts[-1] += 1

        sa.event.listen(tx.get_bind(), "before_cursor_execute", count)
        try:
            talk(world, ref)
        finally:
            sa.event.remove(tx.get_bind(), "before_cursor_execute", count)
    assert 0 < counts[0] == counts[1]
