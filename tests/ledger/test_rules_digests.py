"""The recipe that is written out for millions of entries is the recipe."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.digests import (
    digest_of,
    entry_digest,
    posting_digest,
    written_entry_digest,
    written_place,
    written_posting_digest,
)
from ledger.states import AccountKind, EntryKind

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.integers(-(2**62), 2**62)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
instants = st.datetimes(datetime(1900, 1, 1), datetime(2999, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


@given(
    ids=st.tuples(*[st.uuids()] * 4),
    has_actor=st.booleans(),
    is_related=st.booleans(),
    words=st.tuples(texts, texts, texts),
    kind=st.sampled_from(EntryKind),
    amount=numbers,
    day=st.dates(date(1900, 1, 1), date(2999, 1, 1)),
    at=instants,
    source=digests,
    version=st.integers(1, 99),
)
def test_an_entry_s_digest_is_the_same_either_way(
    ids, has_actor, is_related, words, kind, amount, day, at, source, version
):
    dealer, entry, actor, related = ids
    slow = entry_digest(
        dealer_id=dealer,
        entry_id=entry,
        idempotency_key=words[0],
        kind=kind,
        amount_cents=amount,
        effective_on=day,
        posted_at=at,
        actor_id=actor if has_actor else None,
        source=words[1],
        source_digest=source,
        memo=words[2],
        related_entry_id=related if is_related else None,
        digest_version=version,
    )
    fast = written_entry_digest(
        dealer.hex,
        entry.hex,
        words[0],
        kind.value,
        amount,
        day.isoformat(),
        at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        actor.hex if has_actor else None,
        words[1],
        source,
        words[2],
        related.hex if is_related else None,
        version,
    )
    assert slow == fast


@given(
    st.uuids(), st.integers(2000, 2099), st.sampled_from(AccountKind), digests, digests,
    st.tuples(st.integers(1, 2**40), numbers, numbers),
)  # fmt: skip
def test_a_posting_s_digest_is_the_same_either_way(dealer, year, kind, previous, content, figures):
    sequence, amount, balance = figures
    side, written = (-1, "i2:-1;") if kind is AccountKind.ISSUANCE else (1, "i1:1;")
    slow = posting_digest(
        previous=previous,
        dealer_id=dealer,
        program_year=year,
        account_kind=kind,
        sequence=sequence,
        side=side,
        amount_cents=amount,
        balance_cents=balance,
        entry_digest=content,
    )
    place = written_place(dealer.hex, year, kind.value)
    assert slow == written_posting_digest(previous, place, sequence, written, amount, balance, content)


def test_fields_that_are_joined_otherwise_have_another_digest():
    assert digest_of("t1", 23) != digest_of("t12", 3)
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert digest_of("1") != digest_of(1)
    assert digest_of(None) != digest_of("")
