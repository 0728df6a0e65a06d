"""The generated grid: every endpoint × every role, with the company's own things and with another's.

What must come out is read off the permission grid, so a new endpoint is in it without a line here; one whose
parameter nobody can fill fails the test.
"""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa

from ledger.operations.disputes import open_dispute
from ledger.states import AccountKind
from quotes.operations.design_files import attach_design_file
from quotes.operations.projects import add_trade
from quotes.operations.quotes import start_revision
from referral.clock import now as grid_now
from referral.db import Base, read
from referral.models import AccountNumber, Company, OutgoingMail, Qualification
from referral.operations.delegations import lend_decision
from referral.operations.people import issue_api_token as issue
from referral.operations.records import keep_upload
from referral.permissions import GRID, CompanyKind, Permission, Role
from referral.queries.settings import today
from referral.webkit import permission_of
from tests.factories import (
    AT,
    World,
    make_account,
    make_agreement,
    make_call,
    make_catalogue,
    make_dealer,
    make_price_list,
    make_program,
    make_use,
    make_user,
    make_visit,
    user_of,
)
from warranty.models.sources import InstalledSource
from warranty.operations.claims import open_claim

NOT_SCOPED = {
    Permission.PUBLIC,
    Permission.SIGNED_IN,
    Permission.PRICE_LIST_VIEW,
}
"""What is the same for everybody: no other company's thing is in it."""


FRAGMENTS = {"quotes.autosave_draft", "quotes.draft_totals", "quotes.search_items", "support.show_grants"}
"""Endpoints that answer a part of a page."""


pytestmark = pytest.mark.sqlite_only(
    "roles and the conditions of what they see are the same on both databases"
)


class Grid:
    """Two worlds side by side: the own one of the person who knocks, and another's."""

    def __init__(self, tx):
        self.tx = tx
        self.program = make_program(tx)
        make_price_list(tx, self.program)
        make_catalogue(tx, self.program)
        self.worlds = [self._world(f"0099-{number}") for number in (1, 2)]
        self.things = [self._things(world) for world in self.worlds]
        self.people = {}
        for role in Role:
            company = {
                CompanyKind.DEALER: self.worlds[0].dealer.company_id,
                CompanyKind.ACCOUNT: self.worlds[0].account.company_id,
                CompanyKind.PROGRAM: self.program.company_id,
            }[role.company_kind]
            self.people[role] = make_user(tx, tx.get_one(Company, company), role)
        tx.commit()

    def _world(self, number):
        dealer = make_dealer(self.tx, self.program, number=number)
        return World(self.tx, self.program, dealer, make_account(self.tx, self.program), number)

    def _things(self, world):
        _, order_ref = world.order()
        quote = world.draft()
        file = attach_design_file(
            self.tx, actor=world.account, at=AT, ref=quote, filename="plan.pdf", content=b"%PDF"
        )
        world.submit(quote)
        start_revision(self.tx, actor=world.account, at=AT, ref=quote)
        upload = keep_upload(
            self.tx,
            actor=self.program,
            at=AT,
            purpose="price_list",
            filename="a.csv",
            content=b"model,price\n",
        )
        dealer = self.tx.get_one(Company, world.dealer.company_id)
        self.tx.flush()
        number = self.tx.scalars(sa.select(AccountNumber).where(AccountNumber.company_id == dealer.id)).one()
        qualification = self.tx.scalars(
            sa.select(Qualification).where(Qualification.company_id == world.account.company_id)
        ).one()
        return {
            "referrals": world.refer(),
            "quotes": quote,
            "orders": order_ref,
            **self._planned(world),
            **self._claimed(world),
            **self._agreed(world),
            "disputes": self._disputed(world),
            "dealer_code": dealer.code,
            "code": dealer.code,
            "account_code": world.account.company_code,
            "number_id": number.id,
            "qualification_id": qualification.id,
            "user_id": make_user(self.tx, dealer, Role.DEALER_VIEWER).user_id,
            "delegation_id": self._lent(world).id,
            "upload_id": upload.id,
            "file_id": file.id,
            "mail_id": self.tx.scalars(sa.select(OutgoingMail.id).limit(1)).one(),
        }

    def _lent(self, world):
        day = read(today, grid_now())
        company = self.tx.get_one(Company, world.dealer.company_id)
        return lend_decision(
            self.tx,
            actor=world.dealer,
            at=grid_now(),
            approver_id=world.dealer.user_id,
            delegate_id=make_user(self.tx, company, Role.DEALER_VIEWER).user_id,
            first_on=day,
            last_on=day,
        )

    def _planned(self, world):
        ref = world.refer()
        said = {"name": "N", "contact": "", "scope": "", "agreed_on": None, "done_on": None}
        trade = add_trade(self.tx, actor=world.dealer, at=AT, ref=ref, trade="Electrician", **said)
        return {"projects": ref, "trade_id": trade.id}

    def _claimed(self, world):
        _, ref = world.order()
        world.ship(ref)
        source = self.tx.scalars(
            sa.select(InstalledSource)
            .where(InstalledSource.dealer_id == world.dealer.company_id)
            .order_by(InstalledSource.number)
            .limit(1)
        ).one()
        code = world.dealer.company_code
        claim = open_claim(
            self.tx, actor=world.account, at=AT, ref=f"U-{code}-{source.number}", quantity=1, problem="Dark",
            failed_on=None, idempotency_key="claim",
        )  # fmt: skip
        return {"sources": f"U-{code}-{source.number}", "claims": f"C-{code}-{claim.number}"}

    def _agreed(self, world):
        agreement = make_agreement(world, at=grid_now(), starts_on=read(today, grid_now()))
        make_use(world, agreement, at=grid_now())
        return {
            "agreements": f"A-{world.dealer.company_code}-{agreement.number}",
            "visits": make_visit(world, agreement, at=grid_now()),
            "calls": make_call(world, at=grid_now()),
        }

    def _disputed(self, world):
        dispute = open_dispute(
            self.tx,
            actor=world.dealer,
            at=AT,
            dealer_code=world.dealer.company_code,
            program_year=2026,
            account_kind=AccountKind.SALES_CREDIT,
            sequence=1,
            claimed_cents=None,
            reason="Two are missing.",
            idempotency_key="dispute",
        )
        return f"D-{world.dealer.company_code}-{dispute.number}"

    def path(self, rule, which):
        """The rule's path filled with things of the own (0) or the other (1) world; None without parameters."""
        things = self.things[which]
        filled = {}
        for name in rule.arguments:
            if name == "ref":
                kinds = (
                    "referrals",
                    "quotes",
                    "orders",
                    "disputes",
                    "projects",
                    "sources",
                    "claims",
                    "agreements",
                    "visits",
                    "calls",
                )
                named = (things[kind] for kind in kinds if kind in rule.rule)
                filled[name] = next(named, things["sources"])  # what a label leads to names no kind
            elif name in {"number", "version", "revision_number"}:
                filled[name] = 1
            elif name == "kind":
                filled[name] = "install"
            elif name == "account":
                filled[name] = "sales_credit"
            elif name == "sequence":
                filled[name] = 1
            elif name == "period":
                filled[name] = "2026-05"
            elif name in {"year", "program_year", "level_year"}:
                filled[name] = 2026
            elif name == "key" and "/offers/" in rule.rule:
                filled[name] = "silver"
            elif name == "key" and "/calendars/" in rule.rule:
                filled[name] = "site-hours"
            elif name == "key":
                filled[name] = "quote_valid_days"
            elif name == "token":
                filled[name] = "nobody-holds-this-token"
            elif name == "referral_ref":
                filled[name] = things["referrals"]
            elif name == "quote_ref":
                filled[name] = things["quotes"]
            elif name == "order_ref":
                filled[name] = things["orders"]
            elif name == "code" and "qualifications" in rule.rule:
                filled[name] = things["account_code"]
            else:
                filled[name] = things[name]
        return filled


def rules(app):
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "DELETE", "PATCH"})
        if permission_of(app, rule.endpoint) is not None
        and rule.endpoint not in {"static", "security.static"}
    ]


def address(app, rule, filled):
    with app.test_request_context():
        _, path = rule.build(filled)
        return path


def counts(tx):
    """Rows of every business table; what a refused request must not change."""
    tx.expire_all()
    return Counter(
        {
            table.name: tx.scalar(sa.select(sa.func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
            if table.name not in {"outgoing_mail", "failed_sign_in"}
        }
    )


@pytest.fixture
def grid(tx):
    return Grid(tx)


def is_api(rule):
    return rule.rule.startswith("/api/")


def test_anonymous_people_reach_public_pages_alone(app, grid, client):
    before = counts(grid.tx)
    for rule, method in rules(app):
        status = client.open(
            method, address(app, rule, grid.path(rule, 0)), status=None, **_body(client, rule, method)
        ).status
        if permission_of(app, rule.endpoint) is Permission.PUBLIC:
            assert status not in {401, 403, 500}, (rule.rule, method, status)
        else:
            assert status == (401 if is_api(rule) else 303), (rule.rule, method, status)
    assert counts(grid.tx) == before


def _body(client, rule, method):
    if is_api(rule):
        return {} if method == "GET" else {"json": {}}
    headers = {"HX-Request": "true"} if rule.endpoint in FRAGMENTS else {}
    return {"headers": headers} | ({} if method == "GET" else {"data": {"csrf_token": client.token()}})


@pytest.mark.parametrize("role", list(Role), ids=str)
def test_a_role_reaches_exactly_what_the_grid_gives_it(role, app, grid, client):
    person = grid.people[role]
    client.sign_in(user_of(grid.tx, person))
    token = _api_token(grid, person)
    for rule, method in rules(app):
        permission = permission_of(app, rule.endpoint)
        if rule.endpoint in {"security.logout", "security.change_password", "security.verify"}:
            continue
        options = _body(client, rule, method)
        if is_api(rule):
            options["headers"] = {"Authorization": f"Bearer {token}"}
        path = address(app, rule, grid.path(rule, 0))
        before = counts(grid.tx)
        status = client.open(method, path, status=None, **options).status
        if permission in {Permission.PUBLIC, Permission.SIGNED_IN} or permission in GRID[role]:
            assert status not in {401, 403, 500}, (role, rule.rule, method, status)
            continue
        assert status == 403, (role, rule.rule, method, status)
        assert counts(grid.tx) == before, (role, rule.rule, method)


@pytest.mark.parametrize(
    "role", [role for role in Role if role.company_kind is not CompanyKind.PROGRAM], ids=str
)
def test_another_companys_things_do_not_exist_for_a_role(role, app, grid, client):
    person = grid.people[role]
    client.sign_in(user_of(grid.tx, person))
    token = _api_token(grid, person)
    tried = 0
    before = counts(grid.tx)
    for rule, method in rules(app):
        permission = permission_of(app, rule.endpoint)
        if not rule.arguments or permission in NOT_SCOPED or permission not in GRID[role]:
            continue
        if not rule.arguments & {"ref", "dealer_code", "code", "user_id"}:
            continue
        options = _body(client, rule, method)
        if is_api(rule):
            options["headers"] = {"Authorization": f"Bearer {token}"}
        path = address(app, rule, grid.path(rule, 1))
        page = client.open(method, path, status=None, **options)
        if method == "GET" and page.status == 303:
            page = client.get(page.location, status=None)
        status = page.status
        # An empty body may be refused for its shape before its subject is looked for; never answered.
        assert status in {404, 422}, (role, rule.rule, method, status)
        if method == "GET":
            assert status == 404, (role, rule.rule, status)
        tried += 1
    assert counts(grid.tx) == before
    assert tried > 0


def _api_token(grid, person):
    _, token = issue(grid.tx, at=grid_now(), user_id=person.user_id)
    grid.tx.commit()
    return token


def test_nothing_of_another_company_shows_in_a_list(app, grid, client):
    for role, person in grid.people.items():
        if role.company_kind is CompanyKind.PROGRAM:
            continue
        client.sign_in(user_of(grid.tx, person))
        other = grid.things[1]
        for rule, method in rules(app):
            permission = permission_of(app, rule.endpoint)
            if method != "GET" or rule.arguments or is_api(rule) or permission not in GRID[role] | NOT_SCOPED:
                continue
            page = client.open("GET", rule.rule, status=None, **_body(client, rule, method))
            for thing in (
                "referrals", "quotes", "orders", "disputes", "projects", "sources", "claims", "agreements",
                "visits", "calls", "dealer_code",
            ):  # fmt: skip
                if thing == "dealer_code" and role.company_kind is CompanyKind.ACCOUNT:
                    continue
                assert str(other[thing]) not in page.html, (role, rule.rule, thing)
