"""Bad input in every field of every form, in addresses and in files: a refusal, nothing saved, never a crash."""

from __future__ import annotations

import io
import itertools
import json
import re
from contextvars import Context
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from werkzeug.test import encode_multipart

from ledger.models.accounts import LedgerAccount
from ledger.operations.adjustments import adjust_credit
from ledger.operations.disputes import open_dispute
from ledger.operations.levels import set_levels
from ledger.rules.credit import LevelStep
from ledger.states import AccountKind
from quotes.models.orders import Order
from quotes.models.price_lists import PriceList
from quotes.operations.projects import add_trade
from quotes.operations.quotes import LineInput, start_revision
from quotes.operations.replacements import order_replacement
from quotes.queries.price_lists import NewItem
from quotes.states import Category
from referral.clock import now
from referral.db import read
from referral.models import AccountNumber, Company, Qualification, Referral, UserRole
from referral.operations.people import invite_user
from referral.operations.records import keep_upload
from referral.operations.referrals import open_referral
from referral.permissions import Role
from referral.queries.settings import today
from support.operations.calls_recording import record_call_event
from support.states import CallEventKind
from tests.factories import (
    ITEMS,
    PASSWORD,
    everything,
    make_account,
    make_agreement,
    make_call,
    make_catalogue,
    make_dealer,
    make_price_list,
    make_use,
    make_user,
    make_visit,
    make_world,
    user_of,
)
from tests.journeys.story import PRICES, YEAR, make_workbook
from tests.pages import controls, filled_in
from tests.support.visiting import open_day
from tests.test_grid import is_api, rules
from tests.warranty.test_claims import add_terms
from warranty.models.sources import InstalledSource
from warranty.operations.claims import open_claim
from warranty.operations.claims_deciding import decide_claim
from warranty.operations.claims_fulfilling import fulfil_claim
from warranty.operations.splits import split_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.factories import World

HUGE = "9" * 10_000
NUMBERS = ["1e9", "-1", "1.5", "NaN", "99999999999999999999", "1\u0662", "\u00a0"]
TEXTS = ["\U0001f600", HUGE, "\x00Lamp\x00", "\ud800\udfff\ud800", "\u202e<b>&amp;{{7*7}}=1\r\n\x1b\x7f"]
REFUSED = {404, 409, 410, 422}
NOT_ASKED = {
    "csrf_token", "action", "add", "move", "check", "cancel_these", "cancel_all", "return_these", "return_all", "confirm",
}  # fmt: skip
DAY = f"{YEAR}-06-01"
NEXT_OPEN = open_day(now().date() + timedelta(days=14)).isoformat()
TODAY = now().astimezone(ZoneInfo("America/New_York")).date().isoformat()

_count = itertools.count(1)


@pytest.fixture
def world(tx):
    return make_world(tx)


def saved():
    """Everything in the database, but for the tries to sign in, which are counted."""
    return {name: rows for name, rows in read(everything).items() if name != "failed_sign_in"}


# every form -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A form: who fills it in, how its page comes to be, its button, what makes it valid."""

    endpoint: str
    who: str
    page: Callable[[World], str]
    button: str
    valid: dict[str, Any] = field(default_factory=dict)
    allowed: frozenset[int] = frozenset()


def new_dealer(world):
    """The page that ends the number of a dealer made for it."""
    dealer = make_dealer(world.tx, world.program)
    number = world.tx.scalars(
        sa.select(AccountNumber.id).where(AccountNumber.company_id == dealer.company_id)
    ).one()
    return f"/companies/{dealer.company_code}/account-numbers/{number}/end"


def new_account(world):
    account = make_account(world.tx, world.program)
    row = world.tx.scalars(
        sa.select(Qualification.id).where(Qualification.company_id == account.company_id)
    ).one()
    return f"/companies/{account.company_code}/qualifications/{row}/end"


def new_user(world):
    company = world.tx.get_one(Company, world.dealer.company_id)
    return f"/people/{make_user(world.tx, company, Role.DEALER_VIEWER).user_id}"


def new_filter(world):
    """A list filtered in a way of which no view is kept."""
    return f"/quotes?model=D{next(_count)}"


def new_referral(world):
    """An open referral."""
    said = {
        "account_code": world.account.company_code, "project_name": f"House {next(_count)}.", "place": "Camden",
        "spaces": "Hall", "wanted_on": None, "client_name": "E", "client_contact": "", "client_shared": False,
        "is_suitable": True,
    }  # fmt: skip
    made = open_referral(world.tx, actor=world.dealer, at=now(), **said)
    world.tx.flush()
    return f"/referrals/R-{world.dealer.company_code}-{made.number}"


def referred_twice(world):
    """A referral of a project that another account has: it is parked."""
    said = {
        "project_name": f"House {next(_count)}.", "place": "Camden", "spaces": "Hall", "wanted_on": None,
        "client_name": "E", "client_contact": "", "client_shared": False, "is_suitable": True,
    }  # fmt: skip
    for code in (world.account.company_code, make_account(world.tx, world.program).company_code):
        made = open_referral(world.tx, actor=world.dealer, at=now(), account_code=code, **said)
        world.tx.flush()
    return f"/referrals/R-{world.dealer.company_code}-{made.number}"


def two_accounts(world):
    """A referral, and another account to give it to."""
    make_account(world.tx, world.program)
    return new_referral(world)


def own_profile(world):
    """The profile, for somebody who may also edit it."""
    world.tx.merge(UserRole(user_id=world.account.user_id, role=Role.ACCOUNT_ADMIN))
    return "/profile"


def submitted(world):
    return f"/quotes/{world.submit(at=now())}"


def approved(world):
    return f"/quotes/{world.approve(world.submit(at=now()), at=now())}"


def ordered(world):
    _, ref = world.order(world.approve(world.submit(at=now()), at=now()), at=now())
    return f"/orders/{ref}"


def shipped(world):
    address = ordered(world)
    world.ship(address.removeprefix("/orders/"), at=now(), shipped_on=read(today, now()))
    return address


def in_place(world):
    """A source that shipped with an order made for it: ten lights."""
    address = shipped(world)
    number = world.tx.scalars(
        sa.select(sa.func.max(InstalledSource.number)).where(InstalledSource.model_number == "D3-LIGHT")
    ).one()
    assert address
    return f"/sources/U-{world.dealer.company_code}-{number}"


def apart(world, **said):
    """A light taken out of the ten that shipped for it; returns the address of its page."""
    plain = {"ref": in_place(world).removeprefix("/sources/"), "event_count": None, "quantity": 1, "room": ""}
    source = split_source(world.tx, actor=world.account, at=now(), **(plain | said))
    world.tx.flush()
    return f"/sources/U-{world.dealer.company_code}-{source.number}"


def moved(world):
    """The page that corrects a move made for it."""
    address = apart(world, room="Hall")
    number = world.tx.scalars(
        sa.select(InstalledSource.event_count).order_by(InstalledSource.number.desc()).limit(1)
    ).one()
    return f"{address}/events/{number}/correct"


def replaceable(world):
    """The page that says what took a light's place, with a replacement sent for it."""
    address = in_place(world)
    source = world.tx.scalars(
        sa.select(InstalledSource).where(InstalledSource.number == int(address.rpartition("-")[2]))
    ).one()
    order = world.tx.get_one(Order, (source.dealer_id, source.order_id))
    order_replacement(
        world.tx, actor=world.account, at=now(), ref=f"O-{world.dealer.company_code}-{order.number}",
        quantities={source.line_id: 1}, reason="Dark", failed_on=None, idempotency_key=f"r{next(_count)}",
    )  # fmt: skip
    return f"{address}/replaced"


def project_in_place(world):
    """The project of sources that shipped for it."""
    number = int(in_place(world).rpartition("-")[2])
    project = world.tx.scalars(
        sa.select(Referral.number)
        .join(InstalledSource, InstalledSource.referral_id == Referral.id)
        .where(InstalledSource.number == number)
    ).one()
    return f"/referrals/R-{world.dealer.company_code}-{project}"


def serials_preview(world):
    """The preview of a file of one serial number."""
    project = project_in_place(world)
    kept = keep_upload(
        world.tx, actor=world.account, at=now(), purpose="serials", filename="a.csv",
        content=f"Model,Serial\nD3-LIGHT,SN-{next(_count)}\n".encode(),
    )  # fmt: skip
    world.tx.flush()
    return f"{project}/serials/{kept.id}"


def catalogue_preview(world):
    """The preview of a catalogue of one offer that is new."""
    offer = {"key": f"offer-{next(_count)}", "name": "New", "words": "New", "source": "Test"}
    kept = keep_upload(
        world.tx, actor=world.program, at=now(), purpose="catalogue", filename="a.json",
        content=json.dumps({"version": 1, "offers": [offer]}).encode(),
    )  # fmt: skip
    world.tx.flush()
    return f"/support/load/{kept.id}"


def claimed(world):
    """A claim of a source made for it."""
    ref = in_place(world).removeprefix("/sources/")
    made = open_claim(
        world.tx, actor=world.account, at=now(), ref=ref, quantity=1, problem="Dark", failed_on=None,
        idempotency_key=f"claim-{next(_count)}",
    )  # fmt: skip
    world.tx.flush()
    return f"/claims/C-{world.dealer.company_code}-{made.number}"


def decidable(world):
    """A claim that can be decided: it is covered."""
    return claimed_under(world, is_accepted=False)


def accepted(world):
    """An accepted claim."""
    return claimed_under(world, is_accepted=True)


def swappable(world):
    """A claim whose replacement is ordered."""
    address = accepted(world)
    fulfil_claim(
        world.tx, actor=world.account, at=now(), ref=address.removeprefix("/claims/"), is_replaced=True, words=""
    )  # fmt: skip
    return address


def claimed_under(world, *, is_accepted):
    """A covered claim, accepted or not."""
    add_terms(world.tx, world.program, at=now())
    address = claimed(world)
    ref = address.removeprefix("/claims/")
    if is_accepted:
        decide_claim(world.tx, actor=world.account, at=now(), ref=ref, is_accepted=True, reason="")
    return address


def credited(world):
    """The last posting of the dealer's sales credit, made for it."""
    ordered(world)
    last = sa.select(LedgerAccount.sequence).where(
        LedgerAccount.dealer_id == world.dealer.company_id, LedgerAccount.kind == AccountKind.SALES_CREDIT
    )
    return (
        f"/credit/{world.dealer.company_code}/{TODAY[:4]}/sales_credit/{world.tx.scalars(last).one()}/dispute"
    )


def disputed(world):
    """A dispute of a posting made for it."""
    *_, dealer, year, account, sequence, _ = credited(world).split("/")
    made = open_dispute(
        world.tx, actor=world.dealer, at=now(), dealer_code=dealer, program_year=int(year),
        account_kind=AccountKind(account), sequence=int(sequence), claimed_cents=None, reason="Wrong",
        idempotency_key=f"dispute-{next(_count)}",
    )  # fmt: skip
    return f"/disputes/D-{dealer}-{made.number}"


def invitation(world):
    _, token = invite_user(
        world.tx, actor=world.program, at=now(), company_code=world.dealer.company_code, name="New",
        email=f"new{next(_count)}@x.example", roles=frozenset({Role.DEALER_VIEWER}), link=str,
    )  # fmt: skip
    return f"/invitations/{token}"


def preview(world):
    kept = keep_upload(
        world.tx,
        actor=world.program,
        at=now(),
        purpose="price_list",
        filename="a.xlsx",
        content=make_workbook(),
    )
    world.tx.flush()
    return f"/prices/imports/{kept.id}?valid_from={YEAR + 1}-0{next(_count) % 9 + 1}-02"


def adjusted(world):
    """The page that takes back an adjustment made for it."""
    made = adjust_credit(
        world.tx, actor=world.program, at=now(), dealer_code=world.dealer.company_code,
        effective_on=read(today, now()), amount_cents=100, reason="Letter", idempotency_key=f"a{next(_count)}",
    )  # fmt: skip
    return f"/credit/{world.dealer.company_code}/{made.program_year}/sales_credit/{made.sequence}/reverse"


def two_dealers(world):
    if world.tx.scalars(sa.select(Company.id).where(Company.code == "RECEIVER")).first() is None:
        make_dealer(world.tx, world.program, code="RECEIVER")
    return f"/credit/transfers?dealer={world.dealer.company_code}"


def credit_preview(world):
    """The preview of a file of one row that is not posted yet."""
    content = f"Dealer,Day,Amount,Document\n{world.dealer.company_code},2026-01-02,1.00,INV-{next(_count)}\n"
    kept = keep_upload(
        world.tx,
        actor=world.program,
        at=now(),
        purpose="credit_import",
        filename="a.csv",
        content=content.encode(),
    )
    world.tx.flush()
    return f"/credit/imports/{kept.id}?kind=other_purchase"


def bill_preview(world):
    """The preview of a bill of one good row, for a draft with lines."""
    ref = world.draft(at=now())
    kept = keep_upload(
        world.tx,
        actor=world.account,
        at=now(),
        purpose="bill",
        filename="a.csv",
        content=b"SKU,Qty,Room\nD3-LIGHT,4,Hall\n",
    )
    world.tx.flush()
    return f"/quotes/{ref}/bill/{kept.id}"


def year_to_close(world):
    """The page that closes a year; another one each time, for a year is closed once."""
    year = YEAR - next(_count) % 20 - 1
    steps = [LevelStep("Base", 0)]
    set_levels(
        world.tx, actor=world.program, at=now(), level_year=year + 1, levels=steps, reason="Letter", source=""
    )
    return f"/credit/years/{year}/close"


def colleague(world):
    """The page that lends the right to decide, with somebody to lend it to."""
    make_user(world.tx, world.tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    return "/delegations/lend"


def copied(world):
    """The page that copies another quote's lines into a draft."""
    return f"/quotes/{world.draft(at=now())}/draft/copy?source={world.draft(at=now())}"


def hinted(world):
    """The page of a hint: today's list says that a light needs a trim that the draft lacks."""
    light = NewItem("H-LIGHT", "Light", "H", Category.LIGHT_SOURCE, "each", 100, "trim: H-TRIM")
    day = read(today, now())
    if world.tx.scalars(sa.select(PriceList.id).where(PriceList.valid_from == day)).first() is None:
        make_price_list(world.tx, world.program, items=(light, *ITEMS), valid_from=day)
    ref = world.draft(at=now(), lines=[LineInput("H-LIGHT", 2, "Hall")])
    return f"/quotes/{ref}/draft/hint?model_number=H-LIGHT&need=trim"


def planned(world):
    """The page of a trade of a project made for it."""
    ref = world.refer(at=now())
    said = {"name": "N", "contact": "", "scope": "", "agreed_on": None, "done_on": None}
    trade = add_trade(world.tx, actor=world.dealer, at=now(), ref=ref, trade="Electrician", **said)
    world.tx.flush()
    return f"/projects/{ref}/trades/{trade.id}"


def agreed(until):
    """The page of an agreement made for it: a draft, offered or accepted."""

    def make(world):
        make_catalogue(world.tx, world.program)
        said = {
            "offer_key": "custom",
            "choices": {"response-48h": 2},
            "at": now(),
            "starts_on": read(today, now()),
        }
        agreement = make_agreement(world, until=until, **said)
        return f"/agreements/A-{world.dealer.company_code}-{agreement.number}"

    return make


def visited(*, is_begun=False):
    """The page of a visit made for it, which is to come or has begun."""

    def make(world):
        make_catalogue(world.tx, world.program)
        at = now() - timedelta(days=30 if is_begun else 0)
        agreement = make_agreement(world, at=at, starts_on=read(today, at))
        return f"/visits/{make_visit(world, agreement, at=at)}"

    return make


def undated(world):
    """The page of an agreement made for it that grants visits."""
    make_catalogue(world.tx, world.program)
    agreement = make_agreement(world, at=now(), starts_on=read(today, now()))
    return f"/agreements/A-{world.dealer.company_code}-{agreement.number}"


def called(world):
    """The page of a service call made for it, of which a note was made."""
    make_catalogue(world.tx, world.program)
    ref = make_call(world, at=now())
    record_call_event(
        world.tx,
        actor=world.program,
        at=now(),
        ref=ref,
        event_count=1,
        kind=CallEventKind.NOTED,
        words="Seen",
    )
    world.tx.flush()
    return f"/calls/{ref}"


def site_to_call(world):
    """The page that opens a call of a unit made for it."""
    make_catalogue(world.tx, world.program)
    return f"/calls/new?source={in_place(world).removeprefix('/sources/')}"


def used(world):
    """The page of an agreement of which something was used."""
    make_catalogue(world.tx, world.program)
    agreement = make_agreement(world, at=now(), starts_on=read(today, now()))
    make_use(world, agreement, at=now())
    return f"/agreements/A-{world.dealer.company_code}-{agreement.number}"


def required(world):
    """The page of an agreement with something to confirm."""
    make_catalogue(world.tx, world.program)
    said = {"offer_key": "custom", "choices": {"after-hours": True, "response-48h": 2}, "at": now()}
    agreement = make_agreement(world, starts_on=read(today, now()), **said)
    return f"/agreements/A-{world.dealer.company_code}-{agreement.number}"


def builder(world):
    """The builder, with a site to choose."""
    make_catalogue(world.tx, world.program)
    world.refer(at=now())
    return "/agreements/new?offer=custom"


def at(address):
    return lambda world: address.format(dealer=world.dealer.company_code, account=world.account.company_code)


def after(make, ending):
    return lambda world: make(world) + ending


NOBODY, PROGRAM, DEALER, ACCOUNT = "", "program", "dealer", "account"
TICKS = dict.fromkeys(
    ("attested_suitable", "attested_reviewed", "attested_complete", "attested_account_number"), "y"
)
POSTING = {"reason": "Program letter", "amount_cents": "1,000.00"}
CASES = [
    Case("referral.save_view", DEALER, new_filter, "Keep it", {"name": "Mine"}),
    Case("security.login", NOBODY, at("/sign-in"), "Sign in", {"email": "a@b.example", "password": PASSWORD}, frozenset({200, 429})),
    Case("security.forgot_password", NOBODY, at("/reset-password"), "Send me a link", {"email": "a@b.example"}, frozenset({200})),
    Case("security.change_password", DEALER, at("/change-password"), "Save the password", {"password": PASSWORD, "new_password": "ten lamps in a row", "new_password_confirm": "ten lamps in a row"}, frozenset({200})),
    Case("referral.accept_invitation", NOBODY, invitation, "Join", {"password": PASSWORD, "password_again": PASSWORD}),
    Case("referral.choose_mail", DEALER, at("/mail"), "Save"),
    Case("referral.add_company", PROGRAM, at("/companies/new"), "Add the company", {"name": "New", "code": "NEW", "kinds": ["dealer"], "city": "Camden", "region": "ME"}),
    Case("referral.add_account_number", PROGRAM, at("/companies/{dealer}/account-numbers"), "Add the number", {"number": "7", "valid_from": DAY, "valid_to": DAY}),
    Case("referral.end_account_number", PROGRAM, new_dealer, "Set the last day"),
    Case("referral.add_qualification", PROGRAM, at("/companies/{account}/qualifications"), "Add the qualification", {"valid_from": DAY, "valid_to": DAY, "evidence": "Certificate"}),
    Case("referral.end_qualification", PROGRAM, new_account, "Set the last day", {"reason": "Ended"}),
    Case("referral.invite_user", PROGRAM, at("/people/invitations?company={dealer}"), "Send the invitation", {"name": "New", "email": "new@b.example", "roles": ["dealer_viewer"]}, frozenset({200})),
    Case("referral.change_user_access", PROGRAM, new_user, "Save the access"),
    Case("referral.change_setting", PROGRAM, at("/settings/quote_valid_days"), "Record the change", {"value": "31", "reason": "Letter", "source": "Letter"}),
    Case("referral.set_exchange_rate", PROGRAM, at("/settings/exchange-rates/new?currency=CAD"), "Set the rate", {"rate": "0.7312", "valid_from": DAY, "reason": "Letter", "source": "Bank"}),
    Case("referral.set_dealer_currency", PROGRAM, at("/companies/{dealer}/currency"), "Set the currency", {"currency": "CAD", "reason": "Canadian"}),
    Case("ledger.record_other_purchase", PROGRAM, at("/credit/other-purchases?dealer={dealer}"), "Record purchase", POSTING | {"purchased_on": DAY, "document": "D-1"}),
    Case("ledger.adjust_credit", PROGRAM, at("/credit/adjustments?dealer={dealer}"), "Post adjustment", POSTING | {"effective_on": DAY}),
    Case("ledger.set_levels", PROGRAM, at(f"/levels/{YEAR + 1}"), "Set levels", {"levels-0-name": "Base", "levels-0-threshold_cents": "0", "reason": "Letter", "source": "Letter"}),
    Case("ledger.reverse_entry", PROGRAM, adjusted, "Take it back", {"reason": "Letter"}),
    Case("ledger.transfer_credit", PROGRAM, two_dealers, "Show the effect", POSTING | {"to_dealer_code": "RECEIVER", "effective_on": DAY}, frozenset({200})),
    Case("ledger.post_credit_import", PROGRAM, credit_preview, "Post 1 rows", {"reason": "Letter"}),
    Case("ledger.close_year", PROGRAM, year_to_close, "Close 2"),
    Case("ledger.open_dispute", DEALER, credited, "Open the dispute", {"reason": "Wrong", "claimed_cents": "1.00"}),
    Case("ledger.answer_dispute", PROGRAM, after(disputed, "/answer"), "Answer the dispute", {"outcome": "upheld", "words": "Right", "amount_cents": "1.00"}),
    Case("ledger.withdraw_dispute", DEALER, after(disputed, "/withdraw"), "Take the dispute back"),
    Case("quotes.publish_price_list", PROGRAM, preview, "Publish from"),
    Case("referral.open_referral", DEALER, at("/referrals/new"), "Refer this project", {"project_name": "House", "place": "Camden", "spaces": "Hall", "client_name": "E", "is_suitable": "y", "account_code": ""}),
    Case("referral.withdraw_referral", DEALER, after(new_referral, "/withdraw"), "Withdraw the referral", {"reason": "Sold"}),
    Case("referral.choose_referral", DEALER, after(referred_twice, "/choose"), "Give it to this account", {"reason": "Nearer"}),
    Case("referral.pass_over_referral", DEALER, after(referred_twice, "/pass-over"), "Pass it over", {"reason": "First come"}),
    Case("referral.continue_referral", PROGRAM, after(new_referral, "/continue"), "Let it go on", {"last_on": "2098-01-01", "reason": "Installed"}),
    Case("referral.reassign_referral", PROGRAM, after(two_accounts, "/reassign"), "Give it to this account", {"reason": "Moved away"}),
    Case("referral.save_account_profile", ACCOUNT, own_profile, "Save the profile", {"regions": "ME", "capacity": "3"}),
    Case("referral.refuse_referral", ACCOUNT, after(new_referral, "/refuse"), "Refuse the project", {"reason": "Full"}),
    Case("quotes.save_draft", ACCOUNT, lambda world: f"/quotes/{world.draft(at=now())}/draft", "Save"),
    Case("quotes.import_bill", ACCOUNT, bill_preview, "Import 1 line", {"attach": "y"}),
    Case("quotes.copy_lines_here", ACCOUNT, copied, "Copy 3 lines", {"replaces": "y"}),
    Case("quotes.ignore_hint_here", ACCOUNT, hinted, "Leave it out", {"reason": "On site"}),
    Case("quotes.submit_revision", ACCOUNT, lambda world: f"/quotes/{world.draft(at=now())}/draft/check", "Submit for approval"),
    Case("quotes.approve_revision", DEALER, submitted, "Approve revision 1", TICKS),
    Case("quotes.agree_services", DEALER, submitted, "Agree to offer 1"),
    Case("quotes.counter_services", DEALER, after(submitted, "/revisions/1/services/counter"), "Make this offer", {"note": "Less"}),
    Case("referral.lend_decision", DEALER, colleague, "Lend the right", {"last_on": TODAY}),
    Case("quotes.request_changes", DEALER, after(submitted, "/revisions/1/request-changes"), "Send back to", {"reason": "More"}),
    Case("quotes.add_remark", DEALER, after(submitted, "/revisions/1/remark"), "Add the remark", {"text": "Is it lit?"}),
    Case("quotes.recall_prices", PROGRAM, at("/prices/1/recalls"), "Recall for good", {"model_numbers": "L3I-STRIP", "reason": "Wrong"}),
    Case("quotes.decline_revision", DEALER, after(submitted, "/revisions/1/decline"), "Decline revision 1", {"reason": "No"}),
    Case("quotes.set_milestone", ACCOUNT, lambda world: f"/projects/{world.refer(at=now())}/milestones/install", "Save", {"planned_on": TODAY, "forecast_on": TODAY, "actual_on": TODAY, "owner": "Jo", "slip_reason": "Rain"}),
    Case("quotes.add_trade", DEALER, lambda world: f"/projects/{world.refer(at=now())}/trades/new", "Add the trade", {"trade": "Electrician", "name": "N", "agreed_on": TODAY}),
    Case("quotes.change_trade", ACCOUNT, planned, "Save"),
    Case("quotes.remove_trade", DEALER, planned, "Remove the trade"),
    Case("quotes.place_order", ACCOUNT, after(approved, "/revisions/1/order"), "Place the order", {"purchase_order": "PO-1", "wanted_on": TODAY}),
    Case("quotes.cancel_order", ACCOUNT, after(ordered, "/cancel"), "Cancel everything left", {"reason": "Sold"}, frozenset({200})),
    Case("quotes.ship_order", ACCOUNT, after(ordered, "/ship"), "Record the shipment", {"shipped_on": TODAY, "carrier": "UPS"}),
    Case("quotes.return_order", ACCOUNT, after(shipped, "/return"), "Return everything shipped", {"reason": "other", "words": "Sold"}, frozenset({200})),
    Case("warranty.set_term", PROGRAM, at("/warranty/terms/new"), "See what it changes", {"family": "D3", "months": "60", "report_days": "30", "replacement_days": "0", "source": "Letter", "reason": "New"}),
    Case("warranty.open_claim", ACCOUNT, after(in_place, "/claim"), "Open the claim", {"quantity": "2", "problem": "Dark", "failed_on": TODAY}),
    Case("warranty.decide_claim", ACCOUNT, after(decidable, "/decide"), "Accept the claim"),
    Case("warranty.fulfil_claim", ACCOUNT, after(accepted, "/fulfil"), "Yes, make it good", {"how": "repair", "words": "Driver"}),
    Case("warranty.swap_claim", ACCOUNT, after(swappable, "/swap"), "It was swapped", {"swapped_on": TODAY}),
    Case("warranty.withdraw_claim", ACCOUNT, after(claimed, "/withdraw"), "Take it back", {"reason": "Loose"}),
    Case("warranty.record_event", ACCOUNT, after(in_place, "/record?kind=moved"), "Record"),
    Case("warranty.identify_source", ACCOUNT, after(apart, "/serial"), "Record the serial number", {"serial": "SN-0"}),
    Case("warranty.split_source", ACCOUNT, after(in_place, "/split"), "Record them apart"),
    Case("warranty.record_swap", ACCOUNT, replaceable, "Record the replacement"),
    Case("warranty.correct_event", ACCOUNT, moved, "Correct it", {"reason": "Misread"}),
    Case("warranty.add_site", ACCOUNT, after(project_in_place, "/sites"), "Add the site", {"name": "Guest house"}),
    Case("warranty.record_project_events", ACCOUNT, after(project_in_place, "/record?kind=moved"), "Record for these sources"),
    Case("warranty.start_serials", ACCOUNT, serials_preview, "Import 1 row"),
    Case("support.build_agreement", DEALER, builder, "Save the draft", {"customer": "E", "choices-1-count": "1"}),
    Case("support.edit_agreement", DEALER, after(agreed("draft"), "/edit"), "Save the draft"),
    Case("support.offer_agreement", PROGRAM, after(agreed("draft"), "/offer"), "Offer it to the dealer", {"net_cents-0": "1.00", "tax_rate": "8.25"}),
    Case("support.revise_agreement", DEALER, after(agreed("offered"), "/revise"), "Take it back to a draft", {"reason": "More"}),
    Case("support.accept_agreement", DEALER, after(agreed("offered"), "/accept"), "Accept the agreement", {"is_accepted": "y"}),
    Case("support.decline_agreement", DEALER, after(agreed("offered"), "/decline"), "Decline the agreement", {"reason": "No"}),
    Case("support.withdraw_agreement", DEALER, after(agreed("draft"), "/withdraw"), "Take the agreement back", {"reason": "No"}),
    Case("support.terminate_agreement", DEALER, after(agreed("accepted"), "/terminate"), "End the agreement", {"last_on": TODAY, "reason": "Sold"}),
    Case("support.renew_agreement", DEALER, after(agreed("accepted"), "/renew"), "Make the draft"),
    Case("support.plan_visit", DEALER, after(undated, "/visits/plan"), "Plan the visit", {"day": NEXT_OPEN, "starts": "09:00", "ends": "10:00", "purposes": ["Onsite training"]}),
    Case("support.move_visit", ACCOUNT, after(visited(), "/move"), "Save the change", {"words": "Ring"}),
    Case("support.cancel_visit", ACCOUNT, after(visited(), "/cancel"), "Cancel the visit", {"reason": "Flooded"}),
    Case("support.convert_visit", DEALER, after(visited(), "/convert"), "Change it for a remote session", {"problem": "Dark"}),
    Case("support.sign_off_visit", ACCOUNT, after(visited(is_begun=True), "/sign-off"), "Sign it off", {"report": "Done", "signed_name": "E"}),
    Case("support.record_use", PROGRAM, after(undated, "/use?grant=visits"), "Record it", {"words": "Check"}),
    Case("support.reverse_use", PROGRAM, after(used, "/uses/1/reverse"), "Take it back", {"reason": "Wrong"}),
    Case("support.top_up_agreement", PROGRAM, after(undated, "/top-up"), "Add it", {"net_cents": "900.00", "tax_basis_points": "8.25"}),
    Case("support.mark_requirement", PROGRAM, after(required, "/requirements/confirmed:after-hours"), "Save"),
    Case("support.record_system", ACCOUNT, after(project_in_place, "/systems"), "Record it"),
    Case("support.preview_load", PROGRAM, catalogue_preview, "Load 1 new version", {"reason": "New"}),
    Case("support.open_call", DEALER, site_to_call, "Open the call", {"problem": "Dark"}),
    Case("support.record_call_event", PROGRAM, after(called, "/record?kind=paused"), "Pause", {"words": "Away"}),
    Case("support.correct_call_event", PROGRAM, after(called, "/events/2/correct"), "Take it out", {"reason": "Wrong"}),
    Case("quotes.order_replacement", ACCOUNT, after(shipped, "/replace"), "Replace these", {"reason": "Dark", "failed_on": TODAY}, frozenset({200})),
]  # fmt: skip
ELSEWHERE = {
    "ledger.upload_credit_import": "takes a file, as the tests of its page try them",
    "ledger.continue_closing": "has no field",
    "ledger.take_checkpoint": "has no field",
    "quotes.merge_draft": "its form is that of save_draft, with choices of which only two words are read",
    "quotes.attach_design_file": "takes a file of any content, as the tests of its page try it",
    "quotes.keep_bill": "takes a file or rows, as the tests of bills try them",
    "quotes.remove_design_file": "has no field",
    "quotes.autosave_draft": "its form is that of save_draft",
    "quotes.heed_hint": "has no field",
    "quotes.draft_totals": "shows what is typed; its form is that of save_draft, and it saves nothing",
    "quotes.end_calendar_feed": "has no field",
    "quotes.renew_calendar_feed": "has no field",
    "quotes.start_quote": "has no field",
    "quotes.start_revision": "has no field",
    "quotes.tell_of_recalls": "has no field",
    "quotes.upload_price_list": "takes a file, below",
    "referral.accept_referral": "has no field",
    "warranty.continue_serials": "has no field",
    "warranty.import_serials": "takes a file, as the tests of serial numbers try it",
    "support.show_grants": "shows what is typed; its form is that of build_agreement, and it saves nothing",
    "support.load_catalogue": "takes a file, as the tests of the catalogue try it",
    "referral.end_delegation": "has no field",
    "referral.remove_view": "its one field is spoilt in tests/quotes/test_lists.py",
    "referral.retry_mail": "has no field",
    "security.logout": "has no field",
    "security.reset_password": "its fields are those of change_password",
    "security.verify": "is closed",
}


def test_every_form_is_among_the_cases(app):
    posted = {
        rule.endpoint for rule, method in rules(app) if method == "POST" and not is_api(rule)
    }  # fmt: skip
    assert posted - {case.endpoint for case in CASES} <= ELSEWHERE.keys()


class Sweep:
    """One form, sent again and again with one field spoilt; whatever is refused saves nothing."""

    def __init__(self, client, world, case):
        self.client, self.world, self.case = client, world, case
        if case.who:
            client.sign_in(user_of(world.tx, getattr(world, case.who)))
        self.before = None
        self.open()

    def open(self):
        """Make a new page of the form; what was refused until now has saved nothing."""
        self.check()
        page = self.client.get(self.case.page(self.world))
        button = self.case.button
        if button in {"Publish from", "Send back to", "Close 2"}:
            button = next(each for each in page.all(".//form//button") if each.startswith(button))
        form, pressed = page.form(button)
        valid = dict(self.case.valid)
        if self.case.endpoint == "quotes.approve_revision":
            valid |= {"typed_account_number": self.world.number, "typed_name": self.world.dealer.name}
        if self.case.endpoint == "ledger.close_year":
            valid |= {"typed_year": page.address.split("/")[3]}
        if self.case.endpoint == "support.accept_agreement":
            valid |= {"typed_name": self.world.dealer.name}
        if self.case.endpoint == "support.build_agreement":
            valid |= {
                "sites": [
                    each.get("value") for each in page.tree.iter("input") if each.get("name") == "sites"
                ][:1]
            }
        if "account_code" in valid:
            valid |= {"account_code": self.world.account.company_code, "project_name": f"New {next(_count)}"}
        self.said = filled_in(page.tree, form) | valid
        if pressed.get("name"):
            self.said[pressed.get("name")] = pressed.get("value", "")
        self.target = urljoin(page.address, pressed.get("formaction") or form.get("action"))
        self.fields = [
            (element.get("name"), element.get("type", "text") if element.tag == "input" else element.tag,
             element.get("inputmode"))
            for element in controls(page.tree, form)
            if element.tag in {"input", "select", "textarea"} and element.get("type") != "checkbox"
            if element.get("name") not in NOT_ASKED
        ]  # fmt: skip
        self.before = saved()

    def check(self):
        """What was refused since the page was made has saved nothing."""
        if self.before is not None:
            assert saved() == self.before, f"{self.case.endpoint}: something refused was saved"

    def send(self, name, text):
        """Send the valid form with one field spoilt: a refusal, or a text that may stand there."""
        body = urlencode(self.said | {name: text}, doseq=True, errors="surrogatepass")
        page = self.client.open(
            "POST", self.target, status=None, data=body.encode(),
            content_type="application/x-www-form-urlencoded",
        )  # fmt: skip
        allowed = REFUSED | self.case.allowed | {303}
        assert page.status in allowed, (self.case.endpoint, name, text[:40], page.status, page.text[:300])
        if page.status == 303:
            self.before = None  # what a text field may hold was taken: begin anew
            self.open()


def one_of_its_kind(name):
    """The field of any line for the field of this one: one line stands for all of a grid."""
    return re.sub(r"-[0-9]+-", "--", re.sub(r"-[0-9a-f]{8}-.*", "", name))


@pytest.mark.postgresql_only("the stricter one: it keeps no NUL character and no number that is too long")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.endpoint)
def test_bad_input_in_any_field_is_refused_or_harmless(case, client, world):
    sweep = Sweep(client, world, case)
    seen = set()
    for at_field in range(len(sweep.fields)):
        name, kind, mode = sweep.fields[at_field]
        alike = one_of_its_kind(name)
        if alike in seen:
            continue
        seen.add(alike)
        is_number = kind in {"number", "date", "hidden", "select", "radio"} or mode in {"numeric", "decimal"}
        for text in NUMBERS + TEXTS if is_number else TEXTS:
            sweep.send(sweep.fields[at_field][0], text)
    sweep.check()


# addresses --------------------------------------------------------------------------------------

READ = {
    "/audit": "subject after", "/companies": "words after", "/people": "after", "/search": "q", "/credit": "year dealer on known_at", "/credit/export": "year dealer",
    "/credit/adjustments": "dealer", "/credit/transfers": "dealer", "/credit/{dealer}/2026": "account after on known_at", "/credit/{dealer}/statements": "year", "/credit/{dealer}/statements/2026": "after", "/disputes": "after", "/orders": "state project company model purchase quote since until least most after",
    "/orders.xlsx": "since least after",
    "/people/invitations": "company", "/prices/1": "words after", "/prices/search": "words currency", "/prices/1/recalls": "model", "/projects": "view after", "/projects/never-ordered": "view after", "/mail/failures": "after",
    "/quotes/{quote}": "revision against", "/quotes/{quote}/revisions/1.pdf": "paper", "/quotes/{quote}/revisions/1/remark": "line missing", "/quotes/{draft}/draft/copy": "words source revision", "/quotes/{draft}/draft/hint": "model_number need", "/quotes/{draft}/bill/{bill}": "sheet heading columns_of model_number quantity use-0 add_up", "/quotes/{draft}/bill/{bill}/refused": "sheet heading columns_of room",
    "/referrals/new": "region family again", "/settings/exchange-rates/new": "currency",
    "/quotes": "state project company model referral since until least most after", "/quotes.xlsx": "until most after",
    "{agreement}/use": "grant", "{agreement}/entitlement": "kind source_ref site_ref platform grant_key amount day as_of",
    "/agreements": "state offer customer company within after", "/agreements.xlsx": "customer offer", "/agreements/new": "offer dealer",
    "/calls": "state priority handler company project agreement source after", "/calls/new": "source site agreement",
    "/visits": "state month project after", "/support/offers/silver": "version", "/support/calendars/site-hours": "version",
    "/referrals": "state words since until after", "/referrals.xlsx": "words since after", "/sign-in": "next",
}  # fmt: skip
"""What the pages read off their address."""
NASTY = [
    "%00",
    "%F0%9F%98%80",
    "9" * 5_000,
    "-1",
    "1e9",
    "NaN",
    "%ED%A0%80",
    "%27%22%3C%25_",
    "R-X-999999999999999999",
]


@pytest.mark.parametrize("who", [PROGRAM, DEALER, ACCOUNT])
def test_nothing_in_an_address_breaks_a_page(who, app, client, world):
    client.sign_in(user_of(world.tx, getattr(world, who)))
    *_, draft, _, bill = bill_preview(world).split("/")
    named = {
        "dealer": world.dealer.company_code,
        "quote": world.submit(at=now()),
        "draft": draft,
        "bill": bill,
        "agreement": used(world),
    }
    addresses = [
        f"{path.format(**named)}?{word}={text}"
        for path, words in READ.items()
        for word in words.split()
        for text in NASTY
    ]
    addresses += [
        f"/{folder}/{text}{ending}"
        for folder, ending in (
            ("quotes", ""), ("quotes", "/draft"), ("quotes", "/revisions/1/approve"), ("quotes", "/revisions/1/services/counter"), ("quotes", "/revisions/1.pdf"), ("quotes", "/files"), (f"quotes/{draft}/files", ""), ("quotes", "/bill"), (f"quotes/{draft}/bill", "/refused"), ("calendar", ".ics"), ("projects", ""), ("projects", "/milestones/install"), (f"projects/R-{world.dealer.company_code}-1/milestones", ""), ("outbox", ""), ("referrals", "/choose"), ("orders", "/replace"), ("orders", ""), ("orders", "/cancel"), ("orders", "/ship"), ("orders", "/return"),
            ("referrals", ""), ("referrals", "/refuse"), ("companies", ""), ("people", ""), ("settings", ""),
            ("prices", ""), ("prices/imports", ""), ("credit/imports", ""), ("credit/imports", "/refused"), ("levels", ""), ("credit", "/2026"), ("credit/X", ""), ("credit/X/statements", ""), ("disputes", ""), ("disputes", "/answer"), ("invitations", ""),
            ("reset-password", ""), ("support/offers", ""), ("support/calendars", ""), ("support/load", ""), ("agreements", ""), ("agreements", "/entitlement"), (f"{named['agreement'][1:]}/requirements", ""), (f"{named['agreement'][1:]}/uses", "/reverse"), ("visits", ""), ("visits", "/move"), ("visits", "/checklist"), ("calls", ""), ("calls", "/record"),
        )
        for text in NASTY
    ]  # fmt: skip
    before = saved()
    for address in addresses:
        answer = Context().run(client.flask.get, address, buffered=True)
        assert answer.status_code < 500, (address[:120], answer.status_code)
    assert saved() == before


# one by one -------------------------------------------------------------------------------------


def builder_of(client, world):
    return client.sign_in(user_of(world.tx, world.account))


def test_a_hand_made_price_off_the_list_is_refused(client, world):
    ref = world.draft(at=now())
    builder = builder_of(client, world)
    builder.get(f"/quotes/{ref}/draft")
    form, _ = builder.page.form("Save")
    said = filled_in(builder.page.tree, form) | {"action": "save"}
    before = saved()
    for price in ("412.49", "0", "1e2", "-412.50", "NaN", "412.505"):
        page = builder.post(f"/quotes/{ref}/draft", said | {"lines-0-list_price": price}, status=422)
        assert "Nothing was saved" in page.text
    assert saved() == before


@pytest.mark.parametrize("number", ["of another dealer", "0048-9999", ""])
def test_a_number_that_is_not_the_dealers_is_refused(number, client, world):
    if number == "of another dealer":
        make_dealer(world.tx, world.program, number="0077-1111")
        number = "0077-1111"
    ref = world.draft(at=now(), account_number=number)
    builder = builder_of(client, world)
    builder.get(f"/quotes/{ref}/draft/check")
    before = saved()
    refused = builder.submit("Submit for approval", status=422)
    assert "Nothing was saved" in refused.text
    assert saved() == before


def test_a_number_of_another_dealer_and_one_of_nobody_are_answered_alike(client, world):
    make_dealer(world.tx, world.program, number="0077-1111")
    answers = []
    for number in ("0077-1111", "0077-2222"):
        ref = world.draft(at=now(), account_number=number)
        builder = builder_of(client, world)
        builder.get(f"/quotes/{ref}/draft/check")
        text = builder.submit("Submit for approval", status=422).text
        project = text[text.index("Nothing was saved") :].split("As ")[0]
        answers.append(project.replace(number, "").replace(ref, ""))
    assert answers[0] == answers[1]


def test_a_second_tab_with_an_older_draft_saves_nothing(client, world):
    ref = world.draft(at=now())
    builder = builder_of(client, world)
    other = builder_of(client.other(), world)
    builder.get(f"/quotes/{ref}/draft")
    other.get(f"/quotes/{ref}/draft")
    builder.submit("Save", {"lines-0-quantity": "11"})
    before = saved()
    said = other.submit("Save", {"lines-0-quantity": "12"}, status=409).text
    assert "You saved this draft elsewhere in the meantime" in said
    assert saved() == before


def test_a_second_tab_with_an_older_revision_approves_nothing(client, world):
    ref = world.submit(at=now())
    dealer = client.sign_in(user_of(world.tx, world.dealer))
    dealer.get(f"/quotes/{ref}")
    start_revision(world.tx, actor=world.account, at=now(), ref=ref)
    world.submit(ref, revision=2, at=now())
    world.tx.commit()
    before = saved()
    said = TICKS | {"typed_account_number": world.number, "typed_name": world.dealer.name}
    refused = dealer.submit("Approve revision 1", said, status=409)
    assert "revision 2" in refused.text
    assert saved() == before


def test_two_clicks_on_place_the_order_place_one(client, world, tx):
    address = approved(world)
    builder = builder_of(client, world)
    builder.get(f"{address}/revisions/1/order")
    form, _ = builder.page.form("Place the order")
    said = filled_in(builder.page.tree, form)
    first, second = (builder.post(form.get("action"), said) for _ in range(2))
    assert first.location == second.location
    assert tx.scalar(sa.select(sa.func.count()).select_from(Order)) == 1
    credit = sa.select(LedgerAccount.balance_cents).where(LedgerAccount.kind == AccountKind.SALES_CREDIT)
    assert tx.scalars(credit).all() == [445830]


# files ------------------------------------------------------------------------------------------

CSV = "\n".join(",".join(f'"{cell}"' for cell in row) for row in PRICES).encode()
FILES = {
    "a CSV file that is called a workbook": ("list.xlsx", CSV),
    "an encrypted workbook": ("list.xlsx", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(5_000)),
    "30 MB": ("list.xlsx", bytes(30 * 1024 * 1024)),
    "30 MB of text": ("list.csv", CSV + b"x" * 30 * 1024 * 1024),
    "a truncated workbook": ("list.xlsx", make_workbook()[:-700]),
    "nothing": ("list.xlsx", b""),
    "nothing, as text": ("list.csv", b""),
    "a picture": ("list.xlsx", b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "headings alone": ("list.csv", CSV.splitlines()[0][:10]),
    "a workbook without sheets' content": ("list.xlsx", make_workbook([])),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_price_list_is_refused(name, client, world):
    client.sign_in(user_of(world.tx, world.program))
    before = saved()
    filename, content = FILES[name]
    said = {
        "csrf_token": client.token(),
        "file": (io.BytesIO(content), filename),
        "valid_from": f"{YEAR + 1}-01-01",
    }
    boundary, body = encode_multipart(said)
    kind = f"multipart/form-data; boundary={boundary}"
    page = client.open("POST", "/prices/imports", status=None, data=body, content_type=kind)
    assert page.status in {413, 422}, (page.status, page.location)
    assert saved() == before


def test_a_workbook_with_one_bad_row_publishes_nothing(client, world):
    client.sign_in(user_of(world.tx, world.program))
    rows = [
        *PRICES,
        ("X-1", "Lamp", "D3", "Light source", "each", "NaN"),
        ("X-2", "=1+1", "D3", "Lamp?", "each", -1),
    ]
    said = {"file": (io.BytesIO(make_workbook(rows)), "list.xlsx"), "valid_from": f"{YEAR + 1}-01-01"}
    place = client.post("/prices/imports", said, content_type="multipart/form-data").location
    page = client.get(place)
    assert "cells cannot be taken" in page.text
    assert "F7" in page.text
    before = saved()
    path = quote(place.split("?")[0])
    client.post(f"{path}/publish", {"sha256": "0" * 64, "valid_from": f"{YEAR + 1}-01-01"}, status=None)
    assert saved() == before
