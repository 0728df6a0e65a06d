"""The dealer's decision: approve, ask for changes, decline (program rules, section 5)."""

import json
import uuid
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ledger.queries.levels import credit_year
from quotes.models.quotes import Approval, Remark, Revision
from quotes.operations.decisions import Evidence, approve_revision, decline_revision, request_changes
from quotes.operations.quotes import start_revision
from quotes.queries.quotes import quote_page
from quotes.rules.content import ATTESTATION_VERSION, ATTESTATIONS
from quotes.states import RevisionState, ServicesState
from referral.models import AccountNumber, AuditEvent, Company, OutgoingMail
from referral.permissions import Role
from tests.factories import AT, everything, make_dealer, make_user, make_world, refused
from tests.quotes.test_operations_quotes import end_everything

LAST_SECOND = datetime(2026, 6, 4, 3, 59, 59, tzinfo=UTC)
EVIDENCE = Evidence("192.0.2.7", "Browser 1", "session")


def approving(world, ref, **overrides):
    """Return what an approver says on approving."""
    said = {
        "actor": world.dealer,
        "at": AT,
        "ref": ref,
        "revision_number": 1,
        "digest": world.digest(ref),
        "attested": frozenset(ATTESTATIONS),
        "typed_account_number": world.number,
        "typed_name": world.dealer.name,
        "evidence": EVIDENCE,
    }
    return said | overrides


def deciding(world, ref, **overrides):
    """Return what an approver says on sending back or declining."""
    said = {"actor": world.dealer, "at": AT, "ref": ref, "revision_number": 1, "digest": world.digest(ref)}
    return said | {"reason": "Too dear."} | overrides


def verbs(world, ref):
    return (
        (approve_revision, approving(world, ref)),
        (request_changes, deciding(world, ref)),
        (decline_revision, deciding(world, ref)),
    )


# approving --------------------------------------------------------------------------------------


def test_an_approval_names_revision_and_digest_and_keeps_all_evidence(tx):
    world = make_world(tx)
    ref = world.submit()
    typed = f" {world.number.replace('-', ' ')} "
    said = approving(world, ref, typed_account_number=typed, typed_name=f" {world.dealer.name.upper()} ")
    approve_revision(tx, **said)
    approval = tx.scalars(sa.select(Approval)).one()
    assert (approval.revision_number, approval.digest) == (1, said["digest"])
    assert approval.attestation_version == ATTESTATION_VERSION
    assert json.loads(approval.attestation_text) == dict(ATTESTATIONS)
    assert (approval.typed_account_number, approval.typed_name) == (typed.strip(), world.dealer.name.upper())
    assert (approval.approved_by, approval.approved_at) == (world.dealer.user_id, AT)
    assert (approval.address, approval.browser, approval.login) == ("192.0.2.7", "Browser 1", "session")
    revision = tx.scalars(sa.select(Revision)).one()
    assert (revision.decided_by, revision.decided_at) == (world.dealer.user_id, AT)
    assert revision.services_state is ServicesState.AGREED
    assert any("is approved" in mail.subject for mail in tx.scalars(sa.select(OutgoingMail)))


def test_approving_twice_is_one_approval(tx):
    world = make_world(tx)
    ref = world.submit()
    said = approving(world, ref)
    colleague = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_APPROVER)
    first = approve_revision(tx, **said)
    events = sa.select(sa.func.count()).select_from(AuditEvent)
    count = tx.scalar(events)
    again = approve_revision(tx, **said | {"at": LAST_SECOND, "attested": frozenset()})
    by_another = approve_revision(tx, **said | {"actor": colleague, "typed_name": "whoever"})
    assert first is again is by_another
    assert (first.approved_by, first.approved_at) == (world.dealer.user_id, AT)
    assert tx.scalar(sa.select(sa.func.count()).select_from(Approval)) == 1
    assert tx.scalar(events) == count


@pytest.mark.parametrize("missing", ATTESTATIONS)
def test_each_of_the_four_attestations_is_needed(tx, missing):
    world = make_world(tx)
    ref = world.submit()
    said = approving(world, ref, attested=frozenset(ATTESTATIONS) - {missing})
    assert refused(tx, "attestation_missing", approve_revision, **said).field == missing


@pytest.mark.parametrize("typed", ["", "0", "1{number}", "{number}0", "x" * 10_000, "💡"])
def test_the_typed_account_number_is_the_one_on_the_quote(tx, typed):
    world = make_world(tx)
    said = approving(world, world.submit(), typed_account_number=typed.format(number=world.number))
    assert refused(tx, "typed_account_mismatch", approve_revision, **said).field == "typed_account_number"


def test_a_typed_number_without_its_leading_zeros_is_another_number(tx):
    world = make_world(tx)
    said = approving(world, world.submit(), typed_account_number=world.number.lstrip("0"))
    refused(tx, "typed_account_mismatch", approve_revision, **said)


@pytest.mark.parametrize("typed", ["", "Somebody Else", "x" * 10_000])
def test_approvers_type_their_own_name(tx, typed):
    world = make_world(tx)
    said = approving(world, world.submit(), typed_name=typed)
    assert refused(tx, "typed_name_mismatch", approve_revision, **said).field == "typed_name"


def test_a_revision_is_approved_through_its_30th_day(tx):
    world = make_world(tx)
    ref = world.submit()
    late = LAST_SECOND.replace(hour=4, minute=0, second=0)
    refused(tx, "quote_expired", approve_revision, **approving(world, ref, at=late))
    assert approve_revision(tx, **approving(world, ref, at=LAST_SECOND)).approved_at == LAST_SECOND


def test_an_expired_revision_can_still_be_declined_or_sent_back(tx):
    world = make_world(tx)
    late = datetime(2026, 8, 1, tzinfo=UTC)
    decline_revision(tx, **deciding(world, world.submit(), at=late))
    request_changes(tx, **deciding(world, world.submit(), at=late))


def test_the_account_number_is_checked_on_approval(tx):
    world = make_world(tx)
    ref = world.submit()
    end_everything(world, AccountNumber, date(2026, 5, 3))
    refused(tx, "account_number_unknown_for_dealer", approve_revision, **approving(world, ref))


def test_approval_posts_no_credit(tx):
    world = make_world(tx)
    world.approve()
    year = credit_year(tx, dealer_id=world.dealer.company_id, program_year=2026)
    assert year.total_cents == 0


# all three --------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["", "0" * 64, "x" * 10_000])
def test_a_decision_on_other_content_than_was_seen_is_refused(tx, digest):
    world = make_world(tx)
    ref = world.submit()
    for operation, said in verbs(world, ref):
        refused(tx, "digest_mismatch", operation, **said | {"digest": digest})


def test_a_decision_on_an_old_revision_in_a_second_tab_is_stale(tx):
    world = make_world(tx)
    ref = world.submit()
    second_tab = verbs(world, ref)
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    world.submit(ref, revision=2)
    for operation, said in second_tab:
        refused(tx, "stale_revision", operation, **said)


def test_the_digest_of_one_revision_does_not_decide_on_another(tx):
    world = make_world(tx)
    ref = world.submit()
    old = world.digest(ref)
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    world.submit(ref, revision=2)
    for operation, said in verbs(world, ref):
        refused(tx, "digest_mismatch", operation, **said | {"revision_number": 2, "digest": old})


@pytest.mark.parametrize("role", [Role.DEALER_VIEWER, Role.DEALER_ADMIN])
def test_only_an_approver_of_the_dealer_decides(tx, role):
    world = make_world(tx)
    ref = world.submit()
    colleague = make_user(tx, tx.get_one(Company, world.dealer.company_id), role)
    for operation, said in verbs(world, ref):
        for actor in (colleague, world.account, world.program):
            refused(tx, "forbidden", operation, **said | {"actor": actor})


def test_another_dealers_revision_does_not_exist(tx):
    world = make_world(tx)
    ref = world.submit()
    other = make_dealer(tx, world.program)
    for operation, said in verbs(world, ref):
        refused(tx, "not_found", operation, **said | {"actor": other})
        refused(tx, "not_found", operation, **said | {"revision_number": 7})


# changes, decline -------------------------------------------------------------------------------


def test_changes_are_asked_for_per_line_with_a_reason(tx):
    world = make_world(tx)
    ref = world.submit()
    light, trim, _ = world.line_ids(ref)
    request_changes(
        tx, **deciding(world, ref, reason=" Warmer. ", remarks={light: " 12 of these ", trim: "  "})
    )
    tx.flush()
    page = quote_page(tx, viewer=world.account, at=AT, ref=ref)
    assert (page.revision.state, page.revision.decision_reason) == (
        RevisionState.CHANGES_REQUESTED,
        "Warmer.",
    )
    assert [row.remarks for row in page.lines] == [("12 of these",), (), ()]
    assert tx.scalars(sa.select(Remark.made_by)).all() == [world.dealer.user_id]


def test_a_remark_on_a_line_is_reason_enough(tx):
    world = make_world(tx)
    ref = world.submit()
    line = world.line_ids(ref)[0]
    refused(tx, "reason_required", request_changes, **deciding(world, ref, reason=" "))
    refused(tx, "reason_required", request_changes, **deciding(world, ref, reason="", remarks={line: " "}))
    request_changes(tx, **deciding(world, ref, reason="", remarks={line: "Round ones."}))


def test_a_remark_on_a_line_of_another_quote_is_refused(tx):
    world = make_world(tx)
    foreign = world.line_ids(world.submit())[0]
    ref = world.submit()
    for line in (foreign, uuid.uuid4()):
        refused(tx, "not_on_revision", request_changes, **deciding(world, ref, remarks={line: "Hm."}))


def test_declining_needs_a_reason(tx):
    world = make_world(tx)
    ref = world.submit()
    refused(tx, "reason_required", decline_revision, **deciding(world, ref, reason=" \n"))
    decline_revision(tx, **deciding(world, ref))
    assert tx.scalars(sa.select(Revision.decision_reason)).all() == ["Too dear."]


def test_the_same_decision_sent_twice_is_one_and_another_one_is_refused(tx):
    world = make_world(tx)
    for decide, other in ((decline_revision, request_changes), (request_changes, decline_revision)):
        ref = world.submit()
        said = deciding(world, ref)
        if decide is request_changes:
            said |= {"remarks": {world.line_ids(ref)[0]: "Round ones."}}
        decide(tx, **said)
        tx.flush()
        before = everything(tx)
        assert decide(tx, **said).number == 1
        tx.flush()
        assert everything(tx) == before
        refused(tx, "not_pending", decide, **said | {"reason": "Another."})
        refused(tx, "not_pending", other, **deciding(world, ref))


@pytest.mark.parametrize("statement", ["UPDATE approval SET typed_name = 'x'", "DELETE FROM approval", "UPDATE remark SET text = 'x'", "DELETE FROM remark"])  # fmt: skip
def test_approvals_and_remarks_are_insert_only_in_the_database(tx, statement):
    world = make_world(tx)
    world.approve()
    ref = world.submit()
    request_changes(tx, **deciding(world, ref, remarks={world.line_ids(ref)[0]: "Hm."}))
    tx.commit()
    with pytest.raises(DBAPIError, match="append_only"):
        tx.execute(sa.text(statement))
    tx.rollback()


def test_an_approval_without_all_attestations_is_refused_by_the_database(tx):
    world = make_world(tx)
    world.approve()
    ref = world.submit()
    tx.commit()
    columns = "dealer_id, revision_number, digest, attestation_version, attestation_text, attested_suitable, attested_reviewed, attested_complete, typed_account_number, typed_name, approved_by, approved_at, address, browser, login"
    with pytest.raises(DBAPIError, match="all_attested"):
        tx.execute(
            sa.text(
                f"INSERT INTO approval ({columns}, quote_id, attested_account_number) "
                f"SELECT {columns}, (SELECT id FROM quote WHERE number = 2), (1 = 0) FROM approval"
            )
        )
    tx.rollback()
    assert world.digest(ref)
