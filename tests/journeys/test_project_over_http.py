"""A project from referral to credit and back, by the forms of the pages, on both databases."""

from __future__ import annotations

import io
from contextvars import Context

import pytest

from referral.models import Company
from referral.permissions import CompanyKind, Role
from referral.signin import make_password_hash
from tests.factories import make_company, make_user
from tests.journeys import story
from tests.journeys.story import NUMBER, PASSWORD, YEAR


@pytest.fixture
def admin(app, client, tx, monkeypatch):
    """The program's admin, signed in by the form; the outbox shows its mails as in the demo."""
    monkeypatch.setitem(app.config, "DEMO", True)
    company = make_company(tx, CompanyKind.PROGRAM)
    make_user(
        tx,
        company,
        Role.PROGRAM_ADMIN,
        email="ada@program.example",
        password_hash=make_password_hash(PASSWORD),
    )
    client.get("/sign-in")
    client.submit("Sign in", {"email": "ada@program.example", "password": PASSWORD})
    return client


def name_of(page, label):
    """The name of the field that a screen reader reads so."""
    found = [element.get("name") for element in page.tree.iter("input") if element.get("aria-label") == label]
    assert len(found) == 1, (label, found)
    return found[0]


def join(admin, company, name, email, role):
    """The admin invites somebody, who takes the link of the outbox, chooses a password and signs in."""
    admin.get("/people")
    admin.click("Invite somebody")
    admin.submit("Go on", {"company": company})
    admin.submit("Send the invitation", {"name": name, "email": email, "roles": [role]})
    person = admin.other()
    outbox = person.get("/outbox")
    link = next(
        element.get("href")
        for article in outbox.tree.iter("article")
        if email in "".join(article.itertext())
        for element in article.iter("a")
        if "/invitations/" in element.get("href", "")
    )
    assert name in person.get(link).text
    person.submit("Join", {"password": PASSWORD, "password_again": PASSWORD})
    home = person.submit("Sign in", {"email": email, "password": PASSWORD})
    assert name in home.text
    person.get(link, status=410)
    return person


def set_up(admin):
    """Companies, number, qualification, levels, people, price list: everything by the admin's pages."""
    admin.get("/companies")
    for name, code, kind in (("Harbor Lighting", "HARBOR", "dealer"), ("Glow Works", "GLOW", "account")):
        admin.get("/companies")
        admin.click("Add a company")
        said = {"name": name, "code": code, "kinds": [kind], "city": "Camden", "region": "ME"}
        assert "Next: its numbers" in admin.submit("Add the company", said).text
    admin.get("/companies/HARBOR")
    admin.click("Add an account number")
    assert NUMBER in admin.submit("Add the number", {"number": NUMBER, "valid_from": f"{YEAR}-01-01"}).text
    admin.get("/companies/GLOW")
    admin.click("Add a qualification")
    said = {"valid_from": f"{YEAR}-01-01", "evidence": "Certificate 7"}
    assert "Ketra qualified" in admin.submit("Add the qualification", said).text
    admin.get(f"/levels/{YEAR + 1}")
    levels = {}
    for at, (name, threshold) in enumerate(story.LEVELS):
        levels |= {f"levels-{at}-name": name, f"levels-{at}-threshold_cents": threshold}
    admin.submit("Set levels", levels | {"reason": "New year", "source": "Program letter"})
    admin.get("/prices")
    admin.click("Import a price list")
    book = (io.BytesIO(story.make_workbook()), "list.xlsx")
    preview = admin.submit("Preview the changes", {"file": book, "valid_from": f"{YEAR}-01-01"})
    assert "The first price list" in preview.text
    assert "1,080.00" in preview.text
    assert "0007" in admin.submit(f"Publish from 1 Jan {YEAR}").text


def refer(dealer):
    dealer.get("/")
    dealer.click("Refer a project")
    refused = dealer.submit("Refer this project", {"project_name": "Marsh house"}, status=422)
    assert "Nothing was saved" in refused.text
    said = {
        "project_name": "Marsh house", "place": "Camden, ME", "spaces": "Kitchen\nHall", "client_name": "Edith Marsh",
        "client_contact": "marsh@client.example", "account_code": "GLOW", "is_suitable": "y",
    }  # fmt: skip
    return dealer.submit("Refer this project", said)


def build(builder):
    """The first revision: an item found by words, one by its number, the rest typed; then the check."""
    builder.get("/")
    builder.click("R-HARBOR-1")
    assert "Edith Marsh" not in builder.page.text
    builder.submit("Accept the project")
    builder.submit("Start the quote")
    found = builder.submit("Search", {"words": "downlight degrees"}, status=200)
    assert "412.50" in found.text
    builder.submit("Add D3-LIGHT", status=200)
    builder.submit("Search", {"words": "d3-trim"}, status=200)
    builder.submit("Add D3-TRIM", status=200)
    builder.submit("More rows", status=200)
    lines = {"account_number": "0099-1"}
    for at, (number, quantity, room) in enumerate(story.LINES):
        lines |= {
            f"lines-{at}-model_number": number, f"lines-{at}-quantity": str(quantity), f"lines-{at}-room": room
        }  # fmt: skip
    service = {
        "services-0-kind": "install", "services-0-description": "Installation", "services-0-amount": "1,000"
    }  # fmt: skip
    checked = builder.submit("Save and check", lines | service)
    assert "State one of Harbor Lighting's account numbers" in checked.text
    builder.submit("Submit for approval", status=422)
    builder.click("Back to the draft")
    checked = builder.submit("Save and check", {"account_number": NUMBER.replace("-", " ")})
    assert "Ready to submit" in checked.text
    assert story.FIRST["products"] in checked.text
    assert "Submitted" in builder.submit("Submit for approval").text


def send_back(dealer):
    assert "1 quote waits for you" in dealer.get("/").text
    review = dealer.click("Review and decide Q-HARBOR-1")
    for words in (
        "Kitchen",
        story.FIRST["products"],
        f"${story.FIRST['credit']}",
        story.FIRST["all"],
        NUMBER.replace("-", " "),
    ):
        assert words in review.text, words
    dealer.get(dealer.page.address)
    dealer.get("/quotes/Q-HARBOR-1/revisions/1/request-changes")
    remark = name_of(dealer.page, "Remark, D3-LIGHT, Hall")
    assert "went back" in dealer.submit("Send back to Glow Works", {remark: "Three in the hall, please"}).text


def answer(builder):
    builder.get("/")
    builder.click("Q-HARBOR-1")
    draft = builder.submit("Start revision 2")
    assert "Three in the hall, please" in draft.text
    builder.submit("Save and check", {"lines-4-quantity": "3"})
    builder.submit("Submit for approval")


def approve(dealer):
    review = dealer.get("/quotes/Q-HARBOR-1")
    assert "1 changed; 4 as before." in review.text
    assert "Quantity 2 → 3" in review.text
    said = {"typed_account_number": "00481234", "typed_name": "Ann Harbor"}
    assert "Nothing was saved" in dealer.submit("Approve revision 2", said, status=422).text
    ticks = dict.fromkeys(
        ("attested_suitable", "attested_reviewed", "attested_complete", "attested_account_number"), "y"
    )
    wrong = dealer.submit("Approve revision 2", said | ticks | {"typed_account_number": "0099"}, status=422)
    assert "Nothing was saved" in wrong.text
    assert "Revision 2 is approved" in dealer.submit("Approve revision 2", said | ticks).text


def order(builder):
    """The kitchen first, then the rest."""
    builder.get("/")
    form = builder.click("Enter the order Q-HARBOR-1")
    assert f"${story.SECOND['credit']} of sales credit" in form.text
    part = {
        name_of(form, "Quantity to order, L3I-STRIP, Living room"): "",
        name_of(form, "Quantity to order, PROC-1, Equipment"): "0",
        name_of(form, "Quantity to order, D3-LIGHT, Hall"): "",
    }
    checked = builder.submit("Work out again", part, status=200)
    assert f"${story.PART['credit']} of sales credit" in checked.text
    placed = builder.submit("Place the order", {"purchase_order": "PO-7"})
    assert "Order O-HARBOR-1 is entered" in placed.text
    assert story.PART["products"] in placed.text
    builder.get("/quotes/Q-HARBOR-1/revisions/2/order")
    assert story.REST["products"] in builder.submit("Place the order").text


def cancel(builder):
    builder.get("/orders/O-HARBOR-2")
    form = builder.click("Cancel lines")
    strip = name_of(form, "Quantity to cancel, L3I-STRIP, Living room")
    confirm = builder.submit("Cancel these", {"reason": "Cut shorter", strip: "2"}, status=200)
    assert f"loses ${story.TAKEN_BACK} of the sales credit" in confirm.text
    assert "The units are cancelled" in builder.submit("Yes, cancel 2 units").text


def see_credit(dealer):
    home = dealer.get("/")
    for words in (f"${story.CREDIT}", "Silver", f"${story.MISSING} to go to Gold"):
        assert words in home.text, words
    dealer.click(f"Statement {YEAR}")
    statement = dealer.page
    assert statement.all(".//tbody/tr/td[4]") == story.BALANCES
    assert "Cut shorter" in statement.text
    why = dealer.get("/orders/O-HARBOR-2")
    for words in ("99.99 × 12 × 1.0000 = 1,199.88", "Ann Harbor", "version 1", f"-{story.TAKEN_BACK}"):
        assert words in why.text, words


def export(admin):
    page = admin.get(f"/credit?year={YEAR}")
    assert story.CREDIT in page.text
    assert "Balanced" in page.text
    address = page.link("Export to Excel")
    with Context().run(admin.flask.get, address) as answer:
        story.check_year(answer.get_data())


def test_a_referred_project_becomes_credit_by_the_forms_alone(admin, tx):
    set_up(admin)
    dealer = join(admin, "HARBOR", "Ann Harbor", "ann@harbor.example", "dealer_approver")
    builder = join(admin, "GLOW", "Ben Glow", "ben@glow.example", "account_builder")
    refer(dealer)
    build(builder)
    send_back(dealer)
    answer(builder)
    approve(dealer)
    order(builder)
    cancel(builder)
    see_credit(dealer)
    export(admin)
    assert len(story.mails_to(tx, "ann@harbor.example")) >= 4
    builder.get(f"/credit/HARBOR/{YEAR}", status=403)
    assert tx.query(Company).count() == 3
