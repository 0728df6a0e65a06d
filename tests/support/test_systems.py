"""Systems at sites: since when, with remote access or not; nothing recorded is changed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from support.models.agreements import SiteSystem
from support.operations.systems import record_system
from support.queries.systems import systems_at, systems_page
from support.states import Platform
from tests.factories import AT, make_account, refused, user_of
from tests.support.using import LATER, Using


@pytest.fixture
def using(tx):
    return Using.made(tx)


def said_of(using, **overrides):
    said = {
        "actor": using.world.account,
        "at": LATER,
        "ref": using.project,
        "site_number": 1,
        "platform": Platform.QUANTUM,
        "since_on": AT.date(),
        "is_there": True,
        "has_remote_access": True,
        "words": "",
    }
    return said | overrides


def there(using, day, as_of=LATER):
    row = using.tx.scalars(sa.select(SiteSystem)).first()
    found = systems_at(using.tx, row.dealer_id, row.site_id, day=day, as_of=as_of)
    return [(system.platform, system.has_remote_access) for system in found]


def test_a_system_is_there_from_its_day_on_until_it_is_taken_out(using):
    using.connect(has_remote_access=False)
    using.connect(since_on=date(2026, 5, 20))
    using.connect(Platform.KETRA, has_remote_access=False)
    using.connect(since_on=date(2026, 6, 1), is_there=False)
    assert there(using, date(2026, 5, 3)) == []
    assert there(using, date(2026, 5, 19)) == [(Platform.QUANTUM, False), (Platform.KETRA, False)]
    assert there(using, date(2026, 5, 20)) == [(Platform.QUANTUM, True), (Platform.KETRA, False)]
    assert there(using, date(2026, 6, 1)) == [(Platform.KETRA, False)]


def test_of_two_records_for_one_day_the_later_holds_and_the_past_stays(using):
    using.connect()
    using.connect(has_remote_access=False, at=LATER + timedelta(hours=1))
    assert there(using, AT.date()) == [(Platform.QUANTUM, True)]
    assert there(using, AT.date(), as_of=LATER + timedelta(hours=1)) == [(Platform.QUANTUM, False)]


def test_the_same_record_sent_twice_is_one(using):
    assert using.connect().number == using.connect().number == 1
    assert using.connect(words="New gateway").number == 2


def test_what_is_not_there_has_no_remote_access(using):
    assert using.connect(is_there=False).has_remote_access is False


def test_record_system_refuses_days_to_come_other_sites_and_other_companies(using, tx):
    refused(tx, "invalid_input", record_system, **said_of(using, since_on=LATER.date() + timedelta(days=1)))
    refused(tx, "invalid_input", record_system, **said_of(using, site_number=2))
    refused(tx, "forbidden", record_system, **said_of(using, actor=using.world.dealer))
    stranger = make_account(tx, using.world.program)
    refused(tx, "not_found", record_system, **said_of(using, actor=stranger))
    assert record_system(tx, **said_of(using, actor=using.world.program)).number == 1


def test_the_page_shows_the_systems_of_today_and_all_that_was_recorded(using, tx):
    using.connect()
    using.connect(since_on=date(2026, 6, 1), has_remote_access=False, words="Line cut")
    page = systems_page(tx, viewer=using.world.dealer, at=LATER, ref=using.project)
    (site,) = page.sites
    assert [(each.platform, each.has_remote_access) for each in site.systems] == [(Platform.QUANTUM, False)]
    assert [(row.number, row.holds) for row in site.rows] == [(2, True), (1, False)]
    assert page.may_record is False
    assert systems_page(tx, viewer=using.world.account, at=LATER, ref=using.project).may_record is True


def test_the_account_records_a_system_on_the_page(using, tx, client):
    client.sign_in(user_of(tx, using.world.account))
    page = client.get(f"/referrals/{using.project}/systems")
    assert "No system is recorded here" in page.text
    said = {"platform": "quantum", "since_on": "2026-06-01", "is_there": "yes", "has_remote_access": "y"}
    client.submit("Record it", said, status=303)
    page = client.get(f"/referrals/{using.project}/systems")
    assert "Quantum since 1 Jun 2026 Remote access" in page.text
    assert tx.scalars(sa.select(SiteSystem)).one().words == ""
