"""Lists of agreements, what others see of them, and what verification finds."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from support.models.agreements import Agreement, AgreementPrice, AgreementSite
from support.queries.agreement_verification import agreement_faults
from support.queries.agreements import AgreementFilter, agreements_page
from support.states import AgreementState
from tests.factories import AT, make_account, make_dealer
from tests.support.test_agreements import TODAY, Agreements
from tests.tampering import do
from warranty.models.sources import Site


@pytest.fixture
def them(tx):
    return Agreements(tx)


def test_the_list_narrows_by_standing_offer_customer_and_end(tx, them):
    draft = them.made(until="draft", customer="Draft")
    offered = them.made(until="offered", customer="Offered")
    coming = them.made(customer="Coming")
    active = them.made(starts_on=TODAY, months=1, offer_key="gold", customer="Active")
    long = them.made(starts_on=TODAY, months=24, customer="Long")
    viewer = them.world.dealer

    def found(**asked):
        page = agreements_page(tx, viewer=viewer, at=AT, asked=AgreementFilter(**asked))
        return [row.ref for row in page.rows]

    refs = {name: them.ref_of(each) for name, each in
            {"d": draft, "o": offered, "c": coming, "a": active, "l": long}.items()}  # fmt: skip
    assert found() == [refs[name] for name in "lacod"]
    assert found(standing="draft") == [refs["d"]]
    assert found(standing="coming") == [refs["c"]]
    assert found(standing="active") == [refs["l"], refs["a"]]
    assert found(offer="gold") == [refs["a"]]
    assert found(customer="off") == [refs["o"]]
    assert found(within=30) == [refs["a"]]
    assert found(within=180) == [refs["a"]]
    page = agreements_page(tx, viewer=viewer, at=AT, limit=2)
    rest = agreements_page(tx, viewer=viewer, at=AT, after=page.after)
    assert [row.ref for row in rest.rows] == [refs[name] for name in "cod"]


def test_the_list_of_what_ends_goes_on_by_its_last_days(tx, them):
    made = [them.made(starts_on=TODAY, months=1, customer=f"C{n}") for n in range(3)]
    asked = AgreementFilter(within=60)
    first = agreements_page(tx, viewer=them.world.dealer, at=AT, asked=asked, limit=2)
    then = agreements_page(tx, viewer=them.world.dealer, at=AT, asked=asked, after=first.after)
    assert [row.ref for row in (*first.rows, *then.rows)] == [them.ref_of(each) for each in made]


def test_others_see_nothing_of_it(tx, them):
    them.made()
    for stranger in (make_dealer(tx, them.world.program), make_account(tx, them.world.program)):
        assert agreements_page(tx, viewer=stranger, at=AT).rows == ()
    assert len(agreements_page(tx, viewer=them.world.account, at=AT).rows) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"customer": "Somebody"}, "its terms are not what"),
        ({"choices": '{"parts-ketra":1}'}, "does not fit its offer"),
        ({"terms_digest": "0" * 64}, "do not recompute to their digest"),
        ({"accepted_name": "Somebody"}, "is not what the evidence of its day says"),
        ({"last_on": date(2030, 1, 1)}, "its last day does not follow"),
        ({"state": AgreementState.DRAFT, "accepted_at": None}, "its state does not fit"),
        ({"offered_at": AT + timedelta(days=1)}, "was offered otherwise"),
        ({"made_at": AT - timedelta(days=1)}, "was built otherwise"),
    ],
)
def test_tampering_with_an_agreement_is_found(tx, them, change, says):
    agreement = them.made()
    tx.commit()
    assert not list(agreement_faults(tx))
    do(tx, sa.update(Agreement).where(Agreement.id == agreement.id).values(**change))
    assert any(says in fault for fault in agreement_faults(tx)), list(agreement_faults(tx))
    tx.rollback()


def test_tampering_with_prices_sites_and_the_agreement_itself_is_found(tx, them):
    agreement = them.made()
    tx.commit()
    for statement, says in (
        (sa.update(AgreementPrice).values(net_cents=1), "the tax of a contract year"),
        (sa.delete(AgreementPrice), "its terms are not what"),
        (sa.update(Site).values(time_zone="Asia/Tokyo"), "its terms are not what"),
    ):
        do(tx, statement)
        assert any(says in fault for fault in agreement_faults(tx)), says
        tx.rollback()
    do(
        tx,
        sa.delete(AgreementPrice),
        sa.delete(AgreementSite),
        sa.delete(Agreement).where(Agreement.id == agreement.id),
    )
    faults = list(agreement_faults(tx))
    assert any("is in the evidence, but not accepted" in fault for fault in faults)
    assert any("is in the audit trail, but not there" in fault for fault in faults)
    tx.rollback()
