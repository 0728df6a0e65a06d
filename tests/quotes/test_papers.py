"""A submitted revision on paper: the page to print and the PDF, for those who may see it."""

import time
from dataclasses import replace

import pytest
import sqlalchemy as sa

from quotes.models.services import ServiceOffer
from quotes.operations.quotes import LineInput, ServiceInput
from quotes.operations.services import agree_services, counter_services
from quotes.queries.papers import revision_paper
from quotes.sheets.revision_pdf import BOXES, PaperSize, write_revision_pdf
from quotes.states import ServiceKind
from quotes.views.papers import _qr
from referral.clock import now
from tests.factories import make_account, make_world, user_of

NOW = now()
HOSTILE = '#read("/etc/passwd") $x$ *bold* \\ ]#[ @ref `raw` // c <b>&amp; \U0001f600 \u202eשלום مرحبا 漢字'


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def approved(world):
    return world.approve(world.submit(at=NOW), at=NOW)


def pdf_of(client, ref, query="", status=200):
    """The bytes of the PDF and its headers."""
    answer = client.flask.get(f"/quotes/{ref}/revisions/1.pdf{query}")
    assert answer.status_code == status, answer.status
    return answer.data, answer.headers


def written(paper, size=PaperSize.A4):
    return write_revision_pdf(
        paper,
        address="https://ledger.example/quotes/Q-1?revision=1",
        qr_svg=_qr("https://ledger.example/quotes/Q-1?revision=1"),
        size=size,
        say_instant=str,
    )


def test_the_paper_says_who_approved_exactly_what(client, tx, world, approved):
    paper = revision_paper(tx, viewer=world.dealer, ref=approved, revision_number=1)
    client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{approved}")
    shown = client.click("Print revision 1")
    for text in (
        f"by {world.dealer.name}.",
        "Approved on",
        paper.digest,
        paper.products_digest,
        world.number,
        "All products are included.",
        "D3-LIGHT",
        f"version {paper.price_list}",
        f"http://localhost/quotes/{approved}?revision=1",
    ):
        assert text in shown.text, text
    assert "Not approved" not in shown.text


def test_the_paper_of_a_waiting_revision_says_plainly_that_it_is_not_approved(client, tx, world):
    ref = world.submit(at=NOW)
    shown = client.sign_in(user_of(tx, world.account)).get(f"/quotes/{ref}/revisions/1/print")
    assert "Not approved." in shown.text
    assert "Approved on" not in shown.text


def test_services_agreed_after_the_submission_are_shown_with_the_digest_of_their_offer(client, tx, world):
    services = [ServiceInput(ServiceKind.INSTALL, "Installation", 100000)]
    ref = world.submit(world.draft(services=services), at=NOW)
    first = revision_paper(tx, viewer=world.dealer, ref=ref, revision_number=1)
    assert (first.services_cents, first.offer_digest) == (100000, "")
    less = [ServiceInput(ServiceKind.INSTALL, "Installation", 80000)]
    said = {"at": NOW, "ref": ref, "revision_number": 1}
    counter_services(tx, actor=world.dealer, offer_number=1, services=less, note="", **said)
    agree_services(tx, actor=world.account, offer_number=2, **said)
    paper = revision_paper(tx, viewer=world.dealer, ref=ref, revision_number=1)
    offer = tx.scalars(sa.select(ServiceOffer.digest).where(ServiceOffer.number == 2)).one()
    assert (paper.services_cents, paper.offer_digest) == (80000, offer)
    assert (paper.digest, paper.services_digest) == (first.digest, first.services_digest)
    shown = client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}/revisions/1/print").text
    for text in (offer, "800.00", "were offered after the submission", "Agreed by both sides."):
        assert text in shown


def test_a_draft_and_another_companys_quote_have_no_paper(client, tx, world, approved):
    draft = world.draft()
    client.sign_in(user_of(tx, world.account))
    for place in (
        f"/quotes/{draft}/revisions/1/print",
        f"/quotes/{draft}/revisions/1.pdf",
        f"/quotes/{approved}/revisions/2/print",
        f"/quotes/{approved}/revisions/1.pdf?paper=a3",
    ):
        client.get(place, status=404)
    client.sign_in(user_of(tx, make_account(tx, world.program)))
    for place in (f"/quotes/{approved}/revisions/1/print", f"/quotes/{approved}/revisions/1.pdf"):
        client.get(place, status=404)


def test_the_pdf_is_a_tagged_document_with_title_and_name_and_the_same_bytes_each_time(
    client, tx, world, approved
):
    tx.commit()
    client.sign_in(user_of(tx, world.dealer))
    content, headers = pdf_of(client, approved)
    paper = revision_paper(tx, viewer=world.dealer, ref=approved, revision_number=1)
    assert headers["Content-Type"] == "application/pdf"
    assert f"{approved}-revision-1-{paper.digest[:8]}.pdf" in headers["Content-Disposition"]
    assert content.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in content
    assert f"{approved} revision 1".encode() in content
    client.sign_in(user_of(tx, world.account))
    assert pdf_of(client, approved)[0] == content
    assert pdf_of(client, approved, "?paper=a4")[0] != content


def test_the_qr_code_opens_the_revision_under_the_address_people_use(client, app, tx, world, approved):
    app.config["BASE_URL"] = "https://ledger.example"
    address = f"https://ledger.example/quotes/{approved}?revision=1"
    try:
        shown = client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{approved}/revisions/1/print")
    finally:
        app.config["BASE_URL"] = ""
    assert address in shown.text
    drawn = {path for element in shown.tree.iter() if len(path := element.get("d") or "") > 500}
    assert any(path in _qr(address) for path in drawn)
    assert not any(path in _qr(address.replace("ledger", "other")) for path in drawn)


def test_what_was_typed_is_text_and_never_code_of_the_paper(tx, world):
    line = LineInput("D3-LIGHT", 1, HOSTILE[:60])
    ref = world.submit(world.draft(lines=[line], note=HOSTILE))
    paper = revision_paper(tx, viewer=world.account, ref=ref, revision_number=1)
    typed = replace(
        paper,
        note=HOSTILE + "\n#panic()\n" + "x" * 2000,
        project_name=HOSTILE,
        place="]\n#set page(fill: red)",
        account_number="#" * 60,
        rooms=tuple(
            replace(room, lines=tuple(replace(each, description=HOSTILE) for each in room.lines))
            for room in paper.rooms
        ),
    )
    content = written(typed)
    assert content.startswith(b"%PDF-")
    assert b"root:" not in content
    assert content == written(typed)
    assert BOXES.isascii()


def test_two_thousand_lines_are_set_in_bounded_time(tx, world, approved):
    paper = revision_paper(tx, viewer=world.dealer, ref=approved, revision_number=1)
    (line, *_) = paper.rooms[0].lines
    rooms = tuple(replace(paper.rooms[0], name=f"Room {number}", lines=(line,) * 20) for number in range(100))
    begin = time.process_time()
    content = written(replace(paper, rooms=rooms))
    assert time.process_time() - begin < 30
    assert content.startswith(b"%PDF-")
