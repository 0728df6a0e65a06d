"""Every page of each kind of user can be read by everybody: axe, small phones, dark, the policy kept."""

from __future__ import annotations

import io
import re
from collections import Counter
from contextvars import Context
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
import sqlalchemy as sa

from demo.loader import email_of, load_demo
from referral.clock import now
from referral.db import write
from referral.models import Company, OutgoingMail, Upload, User
from referral.permissions import Permission
from referral.queries.people import viewer_of
from referral.queries.settings import today
from referral.webkit import permission_of
from support.operations.agreements_deciding import decline_agreement
from support.operations.calls_recording import record_call_event
from support.states import CallEventKind
from tests.factories import World, make_agreement, make_call, make_catalogue, make_use, make_visit
from tests.journeys.story import YEAR, make_workbook
from tests.test_grid import FRAGMENTS, is_api, rules
from warranty.models.sources import InstalledSource
from warranty.operations.claims import open_claim
from warranty.operations.claims_deciding import decide_claim
from warranty.operations.claims_fulfilling import fulfil_claim

pytestmark = pytest.mark.sqlite_only("what a page looks like does not depend on the database")

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS = {
    "type": "rule",
    "values": ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"],
}
"""What can be wrong at one width or in one theme and right in the other; the rest is the same in both."""
LOOK = """async (rules) => (await axe.run({runOnly: rules, resultTypes: ['violations']})).violations.flatMap(
  (rule) => rule.nodes.map((node) => `${rule.id}: ${rule.help}: ${node.html}`))"""
# A bar that floats over the page hides what lies below it only until one scrolls: it is looked at in its place.
OPEN = """document.querySelectorAll('details').forEach((each) => { each.open = true; });
document.querySelectorAll('.action-bar').forEach((each) => { each.style.position = 'static'; })"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

PEOPLE = {
    "anybody": [None],
    "dealer": ["harbor.ines", "harbor.greta", "osprey.nadia"],
    "account": ["prism.tova", "prism.alma", "daybreak.jonah"],
    "program": ["program.robin"],
}
NO_PAGES = FRAGMENTS | {
    "ledger.export_year", "ledger.export_statement", "ledger.refused_credit_rows", "quotes.agree_services",
    "quotes.approve_revision", "quotes.calendar_feed", "quotes.download_design_file", "quotes.export_orders",
    "quotes.export_quotes", "quotes.order_receipt", "quotes.refused_bill_rows", "quotes.save_revision_pdf",
    "quotes.search_items",
    "referral.export_referrals", "referral.health", "referral.outbox_mail", "security.logout",
    "security.verify", "static", "support.export_agreements", "warranty.export_expiring", "warranty.export_obligations",
    "warranty.export_sources", "warranty.refused_serial_rows",
}  # fmt: skip
SERIALS = "/referrals/R-HARBOR-2/serials"
SAMPLES = 12
"""Pages of one endpoint that are fetched; of those alike, one is looked at."""


@pytest.fixture
def demo(app, tx, client, monkeypatch):
    """The demo's story; an invitation, a link for a new password and a price list's preview beside it."""
    monkeypatch.setitem(app.config, "DEMO", True)
    write(load_demo, at=now(), zone="America/New_York", hash_password=str, passwords={"harbor.ines": "none"})
    client.get("/reset-password")
    client.submit("Send me a link", {"email": email_of("harbor.ines")}, status=200)
    client.sign_in(person_of(tx, "program.robin")).get("/people/invitations?company=HARBOR")
    client.submit(
        "Send the invitation", {"name": "New", "email": "new@harbor.example", "roles": ["dealer_viewer"]}
    )
    files = {"file": (make_workbook_file(), "list.xlsx"), "valid_from": f"{YEAR + 1}-03-01"}
    client.post("/prices/imports", files, content_type="multipart/form-data")
    rows = b"Dealer,Day,Amount,Document\nHARBOR,2026-02-01,10.00,INV-1\nNOBODY,2026-02-30,ten,\n"
    files = {"file": (io.BytesIO(rows), "list.csv"), "kind": "other_purchase"}
    client.post("/credit/imports/new", files, content_type="multipart/form-data")
    for is_replaced in (False, True):
        make_claim(tx, is_replaced=is_replaced)
    make_agreements(tx)
    client.sign_in(person_of(tx, "prism.tova"))
    client.get(previewed_serials(client, SERIALS, b"DM-D2-HSG-NC,A-1\n"))
    client.submit("Import 1 row", status=None)


def make_claim(tx, *, is_replaced):
    """An accepted claim of the account, to be fulfilled; or with its replacement on the way."""
    tova = viewer_of(tx, person_of(tx, "prism.tova").id, at=now())
    ends_on = now().date() + timedelta(days=2)
    source, code = tx.execute(
        sa.select(InstalledSource, Company.code)
        .join(Company, Company.id == InstalledSource.dealer_id)
        .where(
            InstalledSource.account_id == tova.company_id,
            InstalledSource.ends_on > ends_on,
            InstalledSource.quantity > 2,
            InstalledSource.shipment_number.is_not(None),
        )
        .order_by(InstalledSource.number)
        .limit(1)
    ).one()
    tx.commit()
    said = {"actor": tova, "at": now()}
    made = write(
        open_claim, **said, ref=f"U-{code}-{source.number}", quantity=1, problem="Dark", failed_on=None,
        idempotency_key=f"claim-{is_replaced}",
    )  # fmt: skip
    ref = f"C-{code}-{made.number}"
    write(decide_claim, **said, ref=ref, is_accepted=True, reason="")
    if is_replaced:
        write(fulfil_claim, **said, ref=ref, is_replaced=True, words="")
    tx.expire_all()


def make_agreements(tx):
    """Agreements in every state that has steps; one the account put together, one that ends soon."""
    robin, ines, tova = (
        viewer_of(tx, person_of(tx, key).id, at=now())
        for key in ("program.robin", "harbor.ines", "prism.tova")
    )
    make_catalogue(tx, robin)
    said = {
        "sites": ["R-HARBOR-1/1", "R-HARBOR-2/1"], "at": now(), "starts_on": today(tx, now()),
        "choices": {"visits": 2, "parts-ketra": True},
    }  # fmt: skip
    world = World(tx, robin, ines, tova, "")
    make_agreement(world, until="draft", actor=tova, **said)
    for until, months in (("draft", 12), ("offered", 18), ("accepted", 2), ("accepted", 24)):
        agreement = make_agreement(world, until=until, months=months, **said)
    make_visit(world, agreement, at=now())
    declined = make_agreement(world, until="offered", **said)
    decline_agreement(
        tx, actor=ines, at=now(), ref=f"A-HARBOR-{declined.number}", reason="Too late in the year"
    )
    begun = now() - timedelta(days=30)
    agreement = make_agreement(world, **said | {"at": begun, "starts_on": today(tx, begun)})
    make_visit(world, agreement, at=begun)
    make_use(world, agreement, at=now())
    options = {"offer_key": "custom", "choices": {"after-hours": True, "remote-programming": 2}}
    make_agreement(world, **said | {"sites": ["R-HARBOR-1/1"]} | options)
    for kind in (None, CallEventKind.PAUSED, CallEventKind.RESOLVED):
        ref = make_call(world, at=now(), site_ref="R-HARBOR-1/1")
        if kind is not None:
            record_call_event(
                tx, actor=robin, at=now(), ref=ref, event_count=1, kind=kind, words="Away", reason="customer"
            )
    tx.commit()


def make_workbook_file():
    """A price list with one bad cell."""
    rows = [("Model number", "Description", "Category", "List price")]
    rows += [("D3-NEW", "Downlight", "Light source", 10), ("D3-BAD", "Downlight", "Light source", "ten")]
    return io.BytesIO(make_workbook(rows))


def person_of(tx, key):
    return tx.scalars(sa.select(User).where(User.email == email_of(key))).one()


def linked(html):
    """The addresses of this site that a page links to."""
    for target in re.findall(r'<a [^>]*href="(/[^"]*)"', html):
        yield urlsplit(unescape(target))._replace(fragment="").geturl()


def endpoint_of(app, address):
    return app.url_map.bind("localhost").match(urlsplit(address).path)[0]


def first_badge(html):
    found = re.search(r'<span class="badge.*?</span>', html, re.DOTALL)
    return " ".join(re.sub("<[^>]*>", " ", found[0]).split()) if found else ""


def find_pages(app, client, starts):
    """Follow every link from the first pages on; of pages alike (endpoint, first badge), return one address each."""
    found, waiting, fetched, times = {}, list(starts), set(), Counter()
    while waiting:
        address = waiting.pop(0)
        endpoint = endpoint_of(app, address)
        if address in fetched or endpoint in NO_PAGES or times[endpoint] >= SAMPLES:
            continue
        fetched.add(address)
        times[endpoint] += 1
        answer = Context().run(client.flask.get, address)  # an open one would lend it another person
        assert answer.status_code in {200, 302, 303}, (address, answer.status_code)
        if answer.status_code > 300:
            waiting.append(answer.location)
            continue
        found.setdefault((endpoint, first_badge(answer.text)), address)
        waiting += linked(answer.text)
        if endpoint == "quotes.edit_draft":  # whose button leads there
            waiting += [f"{address}/check", f"{address}/copy"]
        if endpoint == "warranty.show_source" and f"{address}/record" in answer.text:
            waiting.append(f"{address}/replaced")
        if endpoint == "warranty.import_serials":
            waiting.append(previewed_serials(client, address, b"NONE-1,A-2\n"))
        if endpoint == "quotes.upload_bill":
            waiting.append(previewed_bill(client, address))
        if endpoint == "support.load_catalogue":
            waiting.append(client.post(address, {"shipped": "yes"}).location)
    return found


def previewed_bill(client, address):
    """The preview of a bill with good, refused, unknown and left out rows."""
    rows = (
        b"SKU,Qty,Room\nDM-D3-ADRD-15-9W,4,Hall\nDM-D3-ADRD-15,2,Hall\nDM-D3-ADRD-25-9W,two,Hall\nTotal,8,\n"
    )
    files = {"file": (io.BytesIO(rows), "bill.csv")}
    return client.post(address, files, content_type="multipart/form-data").location


def previewed_serials(client, address, rows):
    """The preview of a file of serial numbers."""
    files = {"file": (io.BytesIO(b"Model number,Serial number\n" + rows), "serials.csv")}
    return client.post(address, files, content_type="multipart/form-data").location


def starts(app, tx, who):
    """Where to begin: home, and what is reached by mail or by a form."""
    mails = " ".join(tx.scalars(sa.select(OutgoingMail.body)))
    if who is None:
        by_mail = [
            urlsplit(link).path
            for link in re.findall(r"http\S+", mails)
            if re.search("invit|reset-pass", link)
        ]
        return ["/sign-in", "/outbox", *by_mail]
    uploads = {upload.purpose: upload.id for upload in tx.scalars(sa.select(Upload))}
    more = [
        f"/prices/imports/{uploads['price_list']}?valid_from={YEAR + 1}-03-01", "/companies/HARBOR/currency",
        f"/credit/imports/{uploads['credit_import']}?kind=other_purchase",
        "/credit/HARBOR/2026/other_purchases/1/reverse", "/credit/years/2024/close",
    ]  # fmt: skip
    if who == "prism.tova":
        return ["/", "/change-password", f"{SERIALS}/{uploads['serials']}/progress"]
    return ["/", "/change-password", "/people/roles", *(more if who.startswith("program") else [])]


def expected(app, tx, person):
    """Every endpoint that answers this person with a page, or nobody in particular."""
    permissions = {Permission.PUBLIC}
    if person is not None:
        permissions = viewer_of(tx, person.id, at=now()).permissions - {Permission.PUBLIC}
    return {
        rule.endpoint
        for rule, method in rules(app)
        if method == "GET" and not is_api(rule) and rule.endpoint not in NO_PAGES
        if permission_of(app, rule.endpoint) in permissions
    }


@pytest.mark.parametrize("kind", PEOPLE)
def test_every_page_of_a_kind_of_user_is_accessible(kind, app, tx, client, browse, demo):
    seen, faults, missing = set(), [], set()
    for who in PEOPLE[kind]:
        person = None if who is None else person_of(tx, who)
        visitor = client.other() if person is None else client.other().sign_in(person)
        found = find_pages(app, visitor, starts(app, tx, who))
        missing |= expected(app, tx, person)
        page = browse(person, reduced_motion="reduce")
        page.context.add_init_script(path=AXE)
        faults += [fault for key in found.keys() - seen for fault in look_at(page, found[key])]
        seen |= found.keys()
        browse.faults = [fault for fault in browse.faults if AXE.name not in fault]  # what axe itself tries
    missing -= {endpoint for endpoint, _ in seen}
    assert not missing, f"no link leads to {sorted(missing)}"
    assert not faults, "\n".join(faults)


def look_at(page, address):
    """What is wrong with a page: light at 1280 px, dark at 390 px, and sideways at 320 px."""
    faults = []
    page.goto(address)
    page.evaluate(OPEN)
    for width, scheme, rules_ in ((1280, "light", EVERYTHING), (390, "dark", LOOKS)):
        page.set_viewport_size({"width": width, "height": 900})
        tall = min(page.evaluate("document.documentElement.scrollHeight"), 12_000)
        page.set_viewport_size({"width": width, "height": tall})  # so that a bar in reach covers nothing
        page.emulate_media(color_scheme=scheme)
        faults += [f"{address} at {width} px, {scheme}: {fault}" for fault in page.evaluate(LOOK, rules_)]
    page.set_viewport_size({"width": 320, "height": 900})
    if wider := page.evaluate(SIDEWAYS):
        faults.append(f"{address}: {wider} px wider than a screen of 320 px")
    return faults
