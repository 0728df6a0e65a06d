"""The sites of a project: places in a time zone, added by its account, and never changed."""

from __future__ import annotations

import pytest

from referral.db import write
from tests.factories import make_account, refused, user_of
from tests.warranty.grounds import LATER, Kind
from warranty.models.sources import Site
from warranty.operations.events import record_source_event
from warranty.operations.sites import add_site


def adding(ground, **overrides):
    said = {
        "actor": ground.actor,
        "at": LATER,
        "ref": ground.project,
        "name": "Beach house",
        "place": "Honolulu",
        "time_zone": "Pacific/Honolulu",
    }
    return said | overrides


def test_a_site_is_added_once_and_numbered_after_the_projects_own(ground):
    for _ in range(2):
        site = add_site(ground.tx, **adding(ground))
        assert (site.number, site.name) == (2, "Beach house")
    refused(ground.tx, "invalid_input", add_site, **adding(ground, name="beach HOUSE", place="Hilo"))


@pytest.mark.parametrize(
    ("code", "said"), [("invalid_input", {"time_zone": "Mars/Base"}), ("not_found", {"ref": "R-NOBODY-1"})]
)
def test_add_site_refuses(ground, code, said):
    refused(ground.tx, code, add_site, **adding(ground, **said))


def test_only_the_account_of_a_project_adds_a_site(ground):
    refused(ground.tx, "forbidden", add_site, **adding(ground, actor=ground.world.dealer))
    other = make_account(ground.tx, ground.world.program)
    refused(ground.tx, "not_found", add_site, **adding(ground, actor=other))


def test_the_same_site_added_at_once_is_one_site(ground, at_once):
    ground.tx.commit()
    answers = at_once(lambda: write(add_site, **adding(ground)), times=5)
    assert {site.number for site in answers} == {2}
    ground.tx.expire_all()
    assert ground.tx.query(Site).count() == 2


def test_after_a_move_days_are_those_of_the_other_site(ground):
    add_site(ground.tx, **adding(ground))
    ref = ground.ref()
    ground.record(ref, kind=Kind.MOVED, happened_on=LATER.date(), site_number=2, room="Lanai")
    source = ground.source(ref)
    assert source.room == "Lanai"
    early = LATER.replace(hour=5)  # the day before in Honolulu, the day itself in New York
    said = ground.said(ref, at=early, happened_on=LATER.date())
    refused(ground.tx, "invalid_input", record_source_event, **said)


def test_the_page_lists_sites_with_their_units_and_adds_one(ground, client):
    client.sign_in(user_of(ground.tx, ground.actor))
    page = client.get(f"/referrals/{ground.project}/sites")
    assert "20" in page.text
    client.submit("Add the site", {"name": "Guest house", "time_zone": "America/Denver"})
    page = client.get(f"/referrals/{ground.project}/sites")
    assert "Guest house" in page.text
    assert "America/Denver" in page.text
    client.sign_in(user_of(ground.tx, ground.world.dealer))
    page = client.get(f"/referrals/{ground.project}/sites")
    assert "Add the site" not in page.text
    client.post(f"/referrals/{ground.project}/sites", {"name": "X"}, status=403)
