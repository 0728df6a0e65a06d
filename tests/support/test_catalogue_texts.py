"""The shipped catalogue against the two service texts: the chart cell by cell, and each paragraph's place."""

from __future__ import annotations

import json

import pytest

from quotes.rules.content import canonical_json
from support.rules.charts import charts_of, say_share
from support.rules.offers import granted, offer_of
from support.rules.policy import Policy
from support.rules.service_hours import calendar_of, windows_of
from support.schemas.catalogue import SHIPPED, shipped_catalogue
from support.states import Choice, EntryKind, GrantKind, Platform, Priority, QuotaUnit
from tests.house.source import ROOT

DOCS = " ".join((ROOT / "docs" / "support.md").read_text(encoding="utf-8").split())
ENTRIES = {(entry.kind, entry.key): entry.content for entry in shipped_catalogue().entries}


def offer(key):
    """An offer with what it includes."""
    content = ENTRIES[EntryKind.OFFER, key]
    return offer_of(content, 1, [offer(other) for other in content["includes"]])


OFFERS = {key: offer(key) for kind, key in ENTRIES if kind is EntryKind.OFFER}

CHART = """
100% Lutron labor coverage          | x | x | x | x
100% parts                          | . | x | x | x
Scheduled maintenance visits        | x | . | x | x
24-hour onsite/remote response time | . | . | . | x
48-hour onsite/remote response time | . | . | x | .
72-hour onsite/remote response time | x | x | . | .
Priority support line               | . | . | . | x
Unlimited technical hotline support | x | x | x | x
Remote diagnostics                  | x | x | x | x
"""
"""The chart of the support-plan text: Visits Package, Silver, Gold, Platinum."""


def test_the_chart_of_the_four_standard_plans_cell_by_cell():
    (standard, packages) = charts_of(OFFERS.values())
    assert [each.name for each in standard.offers] == ["Visits Package", "Silver", "Gold", "Platinum"]
    (features,) = [part for part in standard.parts if part.heading == "Plan features"]
    said = [line.split("|") for line in CHART.strip().splitlines()]
    assert [row.name for row in features.rows] == [name.strip() for name, *_ in said]
    cells = [
        (name.strip(), each.name, cell.strip() == "x", row.cells[at] is not None)
        for (name, *dots), row in zip(said, features.rows, strict=True)
        for at, (each, cell) in enumerate(zip(standard.offers, dots, strict=True))
    ]
    assert len(cells) == 36
    assert [cell for cell in cells if cell[2] != cell[3]] == []
    assert [each.name for each in packages.offers] == ["Deluxe", "Premium"]


# what each paragraph became: `offer.grant`, `offer:part`, `kind/key`, or a sentence of docs/support.md ----------

PARAGRAPHS = {
    # the opening, and the details below the chart
    "targeted to facility managers … our customizable plans": "say whom the plans are for and praise them",
    "there are three standard options": "“three standard options” and has four columns: there are four offers",
    "extend your initial system warranties by up to 10 years": "silver:longest_months",
    "Pricing based on acceptance of Standard Terms": "active only once its terms are accepted by name",
    "onsite service to be scheduled Monday – Friday between": "calendar/site-hours",
    "delivered … around availability of facility and staff": "Around availability of facility and staff | a named reason to pause",
    "Coverage excludes Lutron Holidays": "calendar/site-hours",
    "outside the USA the official holidays of each country": "Another country's holidays",
    "rates do not include taxes": "net price and tax are two columns",
    "Additional days of service": "silver.additional-days visits-package.additional-days gold.additional-days",
    "Customization available upon request": "custom.tuning silver.parts-ketra silver.parts-limelight",
    # Visits Package
    "Visits can be used as preventative and corrective maintenance …": "visits-package.visits",
    "All visits are scheduled at the beginning of the year": "visits-package.visits",
    "a scheduled visit can be changed for a remote session": "policy/converted-visit",
    "labor coverage for troubleshooting and diagnosis": "visits-package.labor silver.labor",
    "1.888.LUTRON1, press 3": "visits-package.hotline silver.hotline",
    "Remote diagnostics for systems configured for remote access": "visits-package.remote-diagnostics silver.remote-diagnostics",
    # Silver, Gold, Platinum
    "72-Hour Response, diagnostic labor": "silver.response-72h visits-package.response-72h",
    "100% Replacement parts for duration of agreement": "silver.parts",
    "2 Hours of remote programming": "silver.remote-programming",
    "parts coverage for replacement, shipment, and analysis": "silver.parts",
    "Gold and Platinum include the Silver plan features": "gold.parts platinum.remote-programming",
    "48-Hour Response": "gold.response-48h",
    "Priority Support Line, 24-Hour Response": "platinum.priority-line platinum.response-24h",
    "Preventive Maintenance": "gold.visits platinum.visits",
    "Preventive Maintenance Checklist": "The preventive maintenance checklist is named by the text and not part of it",
    "System Optimization": "gold.visits platinum.visits",
    "Onsite Training": "gold.visits platinum.visits",
    "Additional elective services": "gold.visits platinum.visits",
    # the custom plan
    "Contracts may be built for multiple locations": "an agreement has one site or many",
    "24-Hour (Next Business Day)": "custom.response-24h policy/response-24h",
    "48-Hour (2 Business Day)": "custom.response-48h policy/response-48h",
    "72-Hour (3 Business Day)": "custom.response-72h policy/response-72h",
    "First Available": "custom.first-available policy/first-available",
    "utility days": "custom.preventive-maintenance custom.system-optimization custom.system-orientation custom.system-reprogramming",
    "remote services": "custom.remote-programming custom.remote-training custom.remote-diagnostics",
    "parts coverage": "custom.parts-lighting custom.parts-shades custom.parts-ketra custom.parts-limelight",
    "four families": "family/lighting family/shades family/ketra family/limelight",
    "After-Hours (2 p.m. - 10 p.m.)*": "custom.after-hours calendar/after-hours",
    "Weekend (Saturday 8 a.m. - 5 p.m.)*": "custom.weekend calendar/saturday",
    "Software Upgrade (Quantum Only)": "custom.software-upgrade",
    "Onsite Scene & Level Tuning": "custom.tuning",
    # the software maintenance agreement
    "Operating System Compatibility": "software-maintenance.os-compatibility",
    "SQL Server Compatibility": "software-maintenance.sql-compatibility",
    "License Upgrade Fee Waiver": "software-maintenance.upgrade-waiver",
    "Extension of Quantum Software Warranty": "software-maintenance.software-warranty",
    "Price ($/year up to 5 years)": "software-maintenance:whole_years",
    "Supplemental licenses such as Floorplan and onsite labor": "software-maintenance:excluded",
    "included visits reduce labor of an upgrade": "gold.visits custom.preventive-maintenance silver.additional-days",
    "Supported operating systems": "are a footnote about another product",
    "trademarks": "this project has no tie to their owners",
    # the support packages
    "Provide feature enhancements and product upgrades": "deluxe.enhancements premium.enhancements",
    "Availability (24/7)": "“24/7” heads the methods of support",
    "6:00 AM and 5:00 PM Pacific": "deluxe.desk calendar/support-desk",
    "after hours … via pager": "deluxe.pager policy/software-priorities",
    "30 day post-installation check-up": "deluxe.check-up deluxe:schedules",
    "installation of upgrades": "deluxe.installation-help",
    "methods involving your Internet or VPN connection": "How a remote session is made (pcAnywhere, Internet, VPN)",
    "remote reinstallation": "deluxe.reinstallation",
    "documentation": "deluxe.documentation-help",
    "error messages": "deluxe.error-messages",
    "improper functioning": "deluxe.malfunction",
    "restoration of a directory tree and backend database": "deluxe.restore-advice",
    "issues not directly related": "deluxe.unrelated-issues",
    "Dedicated Account Manager, single point of contact": "deluxe.account-manager",
    "review of queries, reports, form modifications": "deluxe.custom-solutions",
    "Users Groups": "deluxe.users-groups",
    "regional perspective": "deluxe.regional-perspective",
    "advocate and liaison": "deluxe.advocacy",
    "shipments of software": "deluxe.shipments",
    "significant product or service issues": "deluxe.significant-issues",
    "Requirements for Deluxe": "deluxe:requirements",
    "Available for all Apollo Advance licenses": "the program does not know those licenses",
    "licenses exceeding $100,000": "premium:above_cents",
    "one annual on-site visit": "premium.annual-visit",
    "six month (post annual on-site visit) check-up": "premium.post-visit-check-up premium:schedules",
    "two registry harvests": "premium.registry-harvest",
    "one Registry training class, Bellevue": "premium.registry-class",
    "8 hours of disaster recovery": "premium.disaster-recovery",
    "FTP access": "premium.ftp",
    "beta-site selection": "premium.beta-site",
    "Nothing additional required for Premium": "premium:requirements",
    "Priority 1": "policy/software-priorities",
    "as long as reasonable progress can be made": "stopped progress is recorded with a reason, and what is owed goes on",
    "Priority 2": "policy/software-priorities",
    "Priority 3": "no obligation: nothing is due by an instant",
    "Account Manager duties of both packages": "Account management has duties under priorities 1 and 2 in both packages",
}


def is_there(place):
    """Whether a place names a grant, a part that says something, or an entry of the catalogue."""
    if "/" in place:
        kind, _, key = place.partition("/")
        return (EntryKind(kind), key) in ENTRIES
    if ":" in place:
        key, _, part = place.partition(":")
        return bool(getattr(OFFERS[key], part))
    key, _, grant = place.partition(".")
    return OFFERS[key].grant(grant) is not None


@pytest.mark.parametrize("paragraph", PARAGRAPHS)
def test_each_paragraph_has_its_place_or_a_sentence_saying_why_not(paragraph):
    said = PARAGRAPHS[paragraph]
    places = said.split()
    if all(place.partition(".")[0].partition(":")[0] in OFFERS or "/" in place for place in places):
        assert all(map(is_there, places)), places
    else:
        assert said in DOCS


def test_every_key_that_the_docs_name_exists():
    named = {word.strip("`") for word in DOCS.split() if word.strip("`,;:").partition(".")[0] in OFFERS}
    for word in named:
        place = word.strip("`,;:")
        if "." in place:
            assert is_there(place), place


def test_every_grant_has_the_words_of_its_text_and_every_offer_its_source():
    for each in OFFERS.values():
        assert each.source.startswith(("Service and Support Options", "LUMEDX Client Services")), each.key
        assert all(grant.words and grant.chart for grant in each.grants)


# what the texts say in numbers ---------------------------------------------------------------------


def test_no_number_of_visits_is_invented():
    for each in OFFERS.values():
        for grant in each.grants:
            if grant.kind is GrantKind.VISIT and grant.key not in {"annual-visit", "additional-days"}:
                assert (grant.choice, grant.quota.amount) == (Choice.COUNT, None), (each.key, grant.key)
    assert not [grant for grant in granted(OFFERS["gold"], {}) if grant.key == "visits"]
    (visits,) = [grant for grant in granted(OFFERS["gold"], {"visits": 4}) if grant.key == "visits"]
    assert visits.quota.amount == 4


def test_silver_has_no_visits_and_a_day_that_is_bought():
    silver = OFFERS["silver"]
    assert silver.grant("visits") is None
    assert (silver.grant("additional-days").quota.unit, silver.grant("additional-days").quota.amount) == (
        QuotaUnit.VISIT,
        0,
    )


def test_standard_plans_cover_lighting_and_shades_and_tick_ketra_and_limelight():
    for key in ("silver", "gold", "platinum"):
        parts = [grant for grant in OFFERS[key].grants if grant.kind is GrantKind.PARTS]
        assert {(grant.families, grant.choice) for grant in parts} == {
            (("lighting", "shades"), Choice.ALWAYS),
            (("ketra",), Choice.TICK),
            (("limelight",), Choice.TICK),
        }
    assert ENTRIES[EntryKind.FAMILY, "ketra"]["product_families"] == ["*"]


@pytest.mark.parametrize(
    ("key", "response"), [("silver", "response-72h"), ("gold", "response-48h"), ("platinum", "response-24h")]
)
def test_the_better_response_takes_the_place_of_the_included_one(key, response):
    found = [grant.policy for grant in OFFERS[key].grants if grant.kind is GrantKind.RESPONSE]
    assert found == [response]


def test_remote_diagnostics_needs_a_connected_system_of_three_kinds():
    grant = OFFERS["silver"].grant("remote-diagnostics")
    assert grant.platforms == (Platform.QUANTUM, Platform.ATHENA, Platform.VIVE)
    assert grant.needs_remote_access


def test_the_custom_plan_is_chosen_in_every_row():
    custom = OFFERS["custom"]
    assert {grant.choice for grant in custom.grants} == {Choice.COUNT, Choice.TICK}
    assert list(dict.fromkeys(grant.chart for grant in custom.grants)) == [
        "Troubleshooting and diagnostic services",
        "Optional onsite utility days",
        "Optional remote services",
        "Parts coverage options",
        "Additional service options",
    ]
    blocks = [grant for grant in custom.grants if grant.kind is GrantKind.REMOTE]
    assert all(each.quota.unit is QuotaUnit.BLOCK and each.needs_remote_access for each in blocks)
    assert [custom.grant(key).needs_confirmation for key in ("after-hours", "weekend", "tuning")] == [
        True,
        True,
        False,
    ]
    assert custom.grant("software-upgrade").platforms == (Platform.QUANTUM,)


def test_software_maintenance_is_for_one_to_five_years_of_quantum():
    sold = OFFERS["software-maintenance"]
    assert (sold.longest_months, sold.whole_years, sold.platforms) == (60, True, (Platform.QUANTUM,))


def test_premium_shares_two_groups_of_deluxe_and_has_its_limits():
    deluxe, premium = OFFERS["deluxe"], OFFERS["premium"]
    assert premium.above_cents == 10_000_000
    assert {grant.chart for grant in deluxe.grants} - {grant.chart for grant in premium.grants} == {
        "Account management"
    }
    said = {grant.key: say_share(grant) for grant in premium.grants if grant.quota}
    assert said == {
        "annual-visit": "1 visit a year; each at most 1 day on site",
        "registry-harvest": "2 times a year; each at most 2 data validation exports, 1 submittal",
        "registry-class": "1 time a year",
        "disaster-recovery": "8 hours a year",
    }
    assert premium.grant("registry-class").place == "Bellevue, WA"
    assert premium.requirements == deluxe.requirements
    assert [(each.after, each.days, each.months) for each in premium.schedules] == [
        ("annual-visit", 0, 6),
        ("start", 30, 0),
    ]
    assert [each.key for each in deluxe.schedules] == ["check-up-30-days"]
    assert not OFFERS["software-support"].is_sold


def test_the_policies_are_the_ones_of_the_rules():
    policies = {
        key: Policy.from_data(content) for (kind, key), content in ENTRIES.items() if kind is EntryKind.POLICY
    }
    days = {
        key: policies[key].obligations[0].business_days
        for key in ("response-24h", "response-48h", "response-72h", "converted-visit")
    }
    assert days == {"response-24h": 1, "response-48h": 2, "response-72h": 3, "converted-visit": 3}
    assert policies["first-available"].obligations == ()
    software = policies["software-priorities"]
    assert software.pages_out_of_hours_at is Priority.ONE
    assert [
        (each.key, each.of_priority, each.is_soft, each.is_pausable, each.repeats)
        for each in software.obligations
    ] == [
        ("p1-notice", Priority.ONE, False, False, False),
        ("p1-follow-up", Priority.ONE, False, False, True),
        ("p2-target", Priority.TWO, True, True, False),
        ("p2-escalation", Priority.TWO, False, True, False),
        ("p2-update", Priority.TWO, False, False, True),
    ]


def test_the_calendars_are_the_ones_of_the_rules():
    calendars = {key: content for (kind, key), content in ENTRIES.items() if kind is EntryKind.CALENDAR}
    site = calendar_of(calendars["site-hours"], "America/New_York")
    assert (site.zone, {(each.opens, each.closes) for each in site.windows}) == (
        "America/New_York",
        {(480, 1020)},
    )
    assert {each.weekday for each in site.windows} == set(range(5))
    desk = calendar_of(calendars["support-desk"], "America/New_York")
    assert (desk.zone, {(each.opens, each.closes) for each in desk.windows}) == (
        "America/Los_Angeles",
        {(360, 1020)},
    )
    assert {(each.weekday, each.opens, each.closes) for each in windows_of(calendars["after-hours"])} == {
        (day, 840, 1320) for day in range(5)
    }
    assert [(each.weekday, each.opens, each.closes) for each in windows_of(calendars["saturday"])] == [
        (5, 480, 1020)
    ]
    closed = calendars["site-hours"]["closed"]
    assert {day: name for day, name in closed.items() if day.startswith("2027")} == {
        "2027-01-01": "New Year's Day",
        "2027-05-31": "Memorial Day",
        "2027-07-04": "Independence Day",
        "2027-07-05": "Independence Day (observed)",
        "2027-09-06": "Labor Day",
        "2027-11-25": "Thanksgiving Day",
        "2027-12-24": "Christmas Day (observed)",
        "2027-12-25": "Christmas Day",
        "2027-12-31": "New Year's Day (observed)",
    }
    assert "2026-11-27" not in closed, "the day after Thanksgiving is a business day"
    assert "assumed" in calendars["site-hours"]["assumption"]


def test_the_shipped_file_is_written_the_one_readable_way():
    text = SHIPPED.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    assert canonical_json(json.loads(text))
