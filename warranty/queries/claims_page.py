"""The page of a claim: what failed, what coverage answers, what happened, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from referral.clock import business_day
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral, User
from referral.permissions import Permission, Viewer
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource, Site, SourceEvent
from warranty.queries.claims import ClaimRow, claim_by_ref, found_by, live_claim_of, row_of
from warranty.queries.claims_answers import claim_answer, covering_plans
from warranty.queries.sources import source_by_ref
from warranty.rules.answers import Answer
from warranty.rules.coverage import Cover
from warranty.states import IN_PLACE, ClaimState, SourceEventKind, Verdict


@dataclass(frozen=True)
class LaterEvent:
    """An event of a day before the decision that was recorded after it: it did not decide."""

    kind: SourceEventKind
    happened_on: date
    recorded_at: datetime


@dataclass(frozen=True)
class ClaimPage:
    """A claim with its answer and what the viewer can do."""

    row: ClaimRow
    claim: Claim
    answer: Answer
    """Frozen once it is decided; before that as of now."""
    is_frozen: bool
    later: tuple[LaterEvent, ...]
    serial: str
    site_name: str
    is_in_place: bool
    order_ref: str
    opened_by: str
    decided_by: str
    closed_by: str
    new_ref: str
    """The replacement's number; '' where none is ordered."""
    swapped_on: date | None
    """The day the replacement took the failed source's place."""
    may_decide: bool
    """Whether the viewer can decide or fulfil it, as far as roles go."""
    may_withdraw: bool
    plans: tuple[Cover, ...]
    """Support plans that cover what the warranty does not, while it is undecided: a hint, no part of the answer."""

    @property
    def verdict(self) -> Verdict:
        """The answer in one word."""
        return self.answer.coverage.verdict

    @property
    def is_to_decide(self) -> bool:
        """Whether the viewer decides it next."""
        return self.may_decide and self.claim.state is ClaimState.OPEN

    @property
    def is_to_fulfil(self) -> bool:
        """Whether the viewer fulfils it next."""
        return self.may_decide and self.claim.state is ClaimState.ACCEPTED

    @property
    def is_to_swap(self) -> bool:
        """Whether the replacement is ordered, and its day is not said yet."""
        return bool(self.new_ref) and self.swapped_on is None


def claim_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> ClaimPage:
    """Return a claim the viewer may see. Raises Refusal(not_found)."""
    wanted = tx.scalars(claim_by_ref(tx, viewer, ref)).one_or_none()
    if wanted is None:
        raise Refusal("not_found")
    found = tx.execute(
        found_by(viewer).where(Claim.dealer_id == wanted.dealer_id, Claim.id == wanted.id)
    ).one()
    claim: Claim = found[0]
    source: InstalledSource = found[1]
    row = row_of(found)
    people = _people(tx, claim)
    new = (
        None
        if claim.new_source_id is None
        else tx.get_one(InstalledSource, (claim.dealer_id, claim.new_source_id))
    )
    order = tx.get_one(Order, (claim.dealer_id, claim.order_id))
    is_frozen = claim.answer != ""
    answer = claim_answer(tx, claim, source, at)
    opener_company = tx.scalars(sa.select(User.company_id).where(User.id == claim.opened_by)).one()
    plans = () if is_frozen else _plans(tx, claim, source, at)
    return ClaimPage(
        row=row,
        claim=claim,
        answer=answer,
        is_frozen=is_frozen,
        later=_later(tx, claim, answer.coverage.decides_on) if is_frozen else (),
        serial=source.serial,
        site_name=tx.get_one(Site, (source.dealer_id, source.site_id)).name,
        is_in_place=source.standing in IN_PLACE,
        order_ref=str(PublicNumber("O", row.dealer_code, order.number)),
        opened_by=people[claim.opened_by],
        decided_by=people[claim.decided_by] if claim.decided_by else "",
        closed_by=people[claim.closed_by] if claim.closed_by else "",
        new_ref="" if new is None else str(PublicNumber("U", row.dealer_code, new.number)),
        swapped_on=_swapped_on(tx, claim, new),
        may_decide=viewer.may(Permission.CLAIM_DECIDE) and claim.account_id == viewer.company_id,
        may_withdraw=viewer.may(Permission.CLAIM_OPEN)
        and opener_company == viewer.company_id
        and claim.state in {ClaimState.OPEN, ClaimState.ACCEPTED},
        plans=plans,
    )


def _plans(tx: Session, claim: Claim, source: InstalledSource, at: datetime) -> tuple[Cover, ...]:
    as_of = claim.closed_at or at
    return covering_plans(tx, source, failed_on=claim.failed_on, reported_on=claim.reported_on, as_of=as_of)


@dataclass(frozen=True)
class ClaimableSource:
    """A source to open a claim of."""

    ref: str
    quantity: int
    model_number: str
    description: str
    serial: str
    room: str
    site_name: str
    time_zone: str
    referral_ref: str
    project_name: str
    account_name: str
    ordered_on: date
    plans: tuple[Cover, ...]
    """Support plans that cover a failure today, where the warranty does not: a service call is opened for them."""


def claimable_source(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> ClaimableSource:
    """Return the source to open a claim of. Raises Refusal(not_found), (forbidden), (not_in_place), (claim_open)."""
    source = tx.scalars(source_by_ref(tx, viewer, ref)).one_or_none()
    if source is None:
        raise Refusal("not_found")
    if viewer.company_id not in {source.dealer_id, source.account_id}:
        raise Refusal("forbidden")
    if source.standing not in IN_PLACE:
        raise Refusal("not_in_place", details={"standing": source.standing.value})
    if live_claim_of(tx, source) is not None:
        raise Refusal("claim_open")
    site = tx.get_one(Site, (source.dealer_id, source.site_id))
    dealer, account = (tx.get_one(Company, each) for each in (source.dealer_id, source.account_id))
    project = tx.get_one(Referral, (source.dealer_id, source.referral_id))
    day = business_day(at, site.time_zone)
    return ClaimableSource(
        ref=ref,
        quantity=source.quantity,
        model_number=source.model_number,
        description=source.description,
        serial=source.serial,
        room=source.room,
        site_name=site.name,
        time_zone=site.time_zone,
        referral_ref=str(PublicNumber("R", dealer.code, project.number)),
        project_name=project.project_name,
        account_name=account.name,
        ordered_on=source.ordered_on,
        plans=covering_plans(tx, source, failed_on=day, reported_on=day, as_of=at),
    )


def _people(tx: Session, claim: Claim) -> dict[UUID, str]:
    ids = {claim.opened_by, claim.decided_by, claim.closed_by} - {None}
    return {row.id: row.name for row in tx.execute(sa.select(User.id, User.name).where(User.id.in_(ids)))}


def _swapped_on(tx: Session, claim: Claim, new: InstalledSource | None) -> date | None:
    """Return the first day that the replacement was in a place: what replaced it later does not hide it."""
    if new is None or new.replaces_id is None:
        return None
    return tx.scalars(
        sa.select(SourceEvent.happened_on)
        .where(
            SourceEvent.dealer_id == claim.dealer_id,
            SourceEvent.source_id == new.id,
            SourceEvent.kind == SourceEventKind.REPLACES,
        )
        .order_by(SourceEvent.number.desc())
        .limit(1)
    ).one_or_none()


def _later(tx: Session, claim: Claim, day: date) -> tuple[LaterEvent, ...]:
    rows = tx.scalars(
        sa.select(SourceEvent)
        .where(
            SourceEvent.dealer_id == claim.dealer_id,
            SourceEvent.source_id == claim.source_id,
            SourceEvent.recorded_at > claim.decided_at,
            SourceEvent.happened_on <= day,
        )
        .order_by(SourceEvent.number)
    )
    return tuple(LaterEvent(row.kind, row.happened_on, row.recorded_at) for row in rows)
