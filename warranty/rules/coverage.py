"""Whether a failure is covered, by what, owed by whom, and why: one pure function over dated data.

Program rules, section 9. It reads no clock and no database: whoever asks brings what was known at the instant
that is asked for, so that the same question has the same answer for ever. Days are days of the site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from referral.text import say_day
from warranty.rules.months import last_day_of
from warranty.rules.standing import SourceStanding
from warranty.states import Lacking, Standing, StartRule, Verdict

LIMIT_MONTHS = 120
"""How long past a source's own warranty a plan can cover it (support plans, "up to 10 years")."""
WARRANTY = "warranty"
GRANTED = MappingProxyType(
    {
        (True, True): "parts and labor",
        (True, False): "parts",
        (False, True): "labor",
        (False, False): "nothing",
    }
)
"""What a cover is for in words, by (parts, labor)."""
_ONE_DAY = timedelta(days=1)
_LACKING_OF = {StartRule.DELIVERED: Lacking.DELIVERED, StartRule.COMMISSIONED: Lacking.COMMISSIONED}
_LACKING_WORDS = {
    Lacking.TERMS: "No warranty terms are recorded for family {family} ordered on {ordered_on}.",
    Lacking.SHIPPED: "The day it shipped is not recorded.",
    Lacking.DELIVERED: "The warranty starts with delivery, and the day it was delivered is not recorded.",
    Lacking.COMMISSIONED: "The warranty starts with commissioning, and the day it was commissioned is not recorded.",
    Lacking.REPLACES: "It was sent as a warranty replacement, and which source it took the place of is not recorded.",
}


@dataclass(frozen=True, slots=True)
class Term:
    """Warranty terms as the rules read them; see warranty.models.terms.WarrantyTerm."""

    family: str
    valid_from: date
    months: int
    start_rule: StartRule
    cap_days: int | None
    covers_parts: bool
    covers_labor: bool
    report_days: int
    replacement_days: int
    set_at: datetime


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """A source as it was known: its standing, its terms, and for a replacement what it took the place of."""

    ref: str
    family: str
    provider: str
    """The qualified account of the order: it owes the service in warranty, whatever becomes of its qualification."""
    ordered_on: date
    standing: SourceStanding
    term: Term | None
    is_replacement: bool = False
    original: SourceFacts | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a support plan grants for one failure: of this kind of system, at these sites, in this term."""

    name: str
    provider: str
    starts_on: date
    ends_on: date
    """The last day, or the day it was terminated where that is earlier; covered."""
    site_ids: frozenset[UUID]
    covers_parts: bool
    """Whether the family is ticked for parts."""
    covers_labor: bool
    """Whether troubleshooting and diagnosis are granted."""


@dataclass(frozen=True, slots=True)
class Cover:
    """One thing that covers the failure, on the days from `starts_on` through `ends_on`."""

    by: str
    provider: str
    parts: bool
    labor: bool
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class WarrantyPeriod:
    """When a source's warranty runs. Where something lacks, days through `at_least_on` are covered all the same."""

    starts_on: date | None
    ends_on: date | None
    """Its last day as the terms say, whether or not the source was taken out before."""
    limit_on: date | None
    """The last day a plan can cover it; None where the end of its own warranty is unknown."""
    lacking: Lacking | None
    reasons: tuple[str, ...]
    is_assumed: bool = False
    """The start is the cap, because the day that would start it is not recorded."""
    at_least_on: date | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The answer: whether it is covered, by what (the first of `covers`; the others too), and why."""

    verdict: Verdict
    decides_on: date
    """The day of failure, or of the report where that is unknown."""
    covers: tuple[Cover, ...]
    warranty: WarrantyPeriod
    reportable_on: date | None
    """The last day to report a failure in warranty; None where that is undetermined."""
    lacking: Lacking | None
    """What to record where the answer is undetermined."""
    reasons: tuple[str, ...]


def term_for(terms: Sequence[Term], ordered_on: date, as_of: datetime | None = None) -> Term | None:
    """Return the terms of a family for what was ordered on a day; None without any.

    With `as_of`, as they were recorded by that instant. Of two recorded at one instant the later in order holds.
    """
    best: Term | None = None
    for term in terms:
        if term.valid_from > ordered_on or (as_of is not None and term.set_at > as_of):
            continue
        if best is None or (term.valid_from, term.set_at) >= (best.valid_from, best.set_at):
            best = term
    return best


def warranty_of(source: SourceFacts) -> WarrantyPeriod:
    """Return when the source's warranty runs, with the reasons in order."""
    if source.is_replacement:
        return _warranty_of_replacement(source)
    term = source.term
    if term is None:
        return _undetermined(source, Lacking.TERMS)
    start, is_assumed, why = _start(source.standing, term)
    if isinstance(start, Lacking):
        return _undetermined(source, start)
    ends_on = last_day_of(start, term.months)
    months = "month" if term.months == 1 else "months"
    reasons = (why, f"{term.months} {months} from {say_day(start)} end on {say_day(ends_on)}.")
    return WarrantyPeriod(start, ends_on, _limit(ends_on), None, reasons, is_assumed)


def decide(
    source: SourceFacts,
    *,
    failed_on: date | None,
    reported_on: date,
    site_id: UUID | None = None,
    plans: Sequence[Plan] = (),
) -> Coverage:
    """Return whether a failure is covered.

    `failed_on` is None where it is unknown: then the day of report decides. `site_id` is where the source was
    on that day, for plans, which are taken by start after the warranty. Program rules, section 9.
    """
    day = reported_on if failed_on is None else failed_on
    reasons = (
        [f"The day of failure is unknown; the day of report, {say_day(day)}, decides."]
        if failed_on is None
        else []
    )
    period = warranty_of(source)
    state = source.standing
    if state.standing is Standing.VOIDED:
        why = f"It is no installed source since {say_day(state.voided_on)}: {state.void_reason}"
        return Coverage(Verdict.NOT_COVERED, day, (), period, None, None, (*reasons, why))
    if state.gone_on is not None and day >= state.gone_on:
        why = f"It was taken out on {say_day(state.gone_on)}; it was covered at most until the day before."
        return Coverage(Verdict.NOT_COVERED, day, (), period, None, None, (*reasons, why))
    happened = "reported" if failed_on is None else "failed"
    verdict, reportable_on, said = _in_warranty(source, period, day, reported_on, happened)
    reasons += said
    covers: list[Cover] = []
    if verdict is Verdict.COVERED and source.term is not None and period.starts_on is not None:
        ends_on = period.ends_on or period.at_least_on or day
        gone = state.gone_on
        covers.append(
            Cover(
                WARRANTY,
                source.provider,
                source.term.covers_parts,
                source.term.covers_labor,
                period.starts_on,
                ends_on if gone is None else min(ends_on, gone - _ONE_DAY),
            )
        )
    if plans:
        by_plan, said_of_plans = _by_plans(plans, day, site_id, period, state.gone_on)
        covers += by_plan
        reasons += said_of_plans
    if covers:
        return Coverage(Verdict.COVERED, day, tuple(covers), period, reportable_on, None, tuple(reasons))
    lacking = None
    if verdict is Verdict.UNDETERMINED:
        lacking = period.lacking or _LACKING_OF.get(
            source.term.start_rule if source.term else StartRule.SHIPPED
        )
    return Coverage(verdict, day, (), period, reportable_on, lacking, tuple(reasons))


def _start(standing: SourceStanding, term: Term) -> tuple[date | Lacking, bool, str]:
    """Return (first day or what lacks, whether it is the cap for want of the day, why)."""
    shipped = standing.shipped_on
    if term.start_rule is StartRule.SHIPPED:
        if shipped is None:
            return Lacking.SHIPPED, False, ""
        return shipped, False, f"The warranty starts with shipping, on {say_day(shipped)}."
    is_delivery = term.start_rule is StartRule.DELIVERED
    word, day = (
        ("delivery", standing.delivered_on) if is_delivery else ("commissioning", standing.commissioned_on)
    )
    if term.cap_days is None:
        if day is None:
            return _LACKING_OF[term.start_rule], False, ""
        return day, False, f"The warranty starts with {word}, on {say_day(day)}."
    if shipped is None:
        return Lacking.SHIPPED, False, ""
    cap = shipped + timedelta(days=term.cap_days)
    latest = f"at the latest {_days(term.cap_days)} after shipping on {say_day(shipped)}"
    if day is None:
        return (
            cap,
            True,
            f"The warranty starts with {word}, {latest}; no {word} is recorded: {say_day(cap)}.",
        )
    if day > cap:
        return cap, False, f"The warranty starts with {word}, {latest}: {say_day(cap)}, not {say_day(day)}."
    return day, False, f"The warranty starts with {word}, on {say_day(day)}."


def _warranty_of_replacement(source: SourceFacts) -> WarrantyPeriod:
    """The original's last day, or the minimum after a replacement where that is later; the original's limit."""
    since, original = source.standing.replaces_on, source.original
    if since is None or original is None:
        return _undetermined(source, Lacking.REPLACES)
    before = warranty_of(original)
    why = f"It took the place of {original.ref} on {say_day(since)}."
    if source.term is None:
        return replace(_undetermined(source, Lacking.TERMS, since, why), limit_on=before.limit_on)
    minimum = source.term.replacement_days
    at_least = since + timedelta(days=minimum - 1) if minimum else None
    least = f"A replacement is covered at least {_days(minimum)}, through {say_day(at_least)}."
    if before.ends_on is None:
        said = (why, *before.reasons, *((least,) if at_least else ()))
        return WarrantyPeriod(since, None, before.limit_on, before.lacking, said, at_least_on=at_least)
    rest = f"The warranty of {original.ref} ends on {say_day(before.ends_on)}, and the replacement's with it."
    if at_least is not None and at_least > before.ends_on:
        rest = f"The warranty of {original.ref} ends on {say_day(before.ends_on)}. {least}"
        return WarrantyPeriod(
            since, at_least, before.limit_on, None, (why, *before.reasons, rest), before.is_assumed
        )
    return WarrantyPeriod(
        since, before.ends_on, before.limit_on, None, (why, *before.reasons, rest), before.is_assumed
    )


def _in_warranty(
    source: SourceFacts, period: WarrantyPeriod, day: date, reported_on: date, happened: str
) -> tuple[Verdict, date | None, list[str]]:
    """Return (verdict of the warranty alone, last day to report, reasons). It failed, or was reported, on the day."""
    said = list(period.reasons)
    last = period.ends_on or period.at_least_on
    if period.starts_on is not None and day < period.starts_on:
        if _may_have_started(source, period, day):
            said.append(f"Whether it had started on {say_day(day)} is not known.")
            return Verdict.UNDETERMINED, None, said
        said.append(f"On {say_day(day)} it had not started: the first day is {say_day(period.starts_on)}.")
        return Verdict.NOT_COVERED, None, said
    if last is None or source.term is None or (period.lacking is not None and day > last):
        return Verdict.UNDETERMINED, None, said
    reportable_on = last + timedelta(days=source.term.report_days)
    if day > last:
        said.append(
            f"Ketra warranty ended {say_day(last)}; {happened} {say_day(day)}: {_days((day - last).days)} later."
        )
        return Verdict.NOT_COVERED, reportable_on, said
    late = (reported_on - last).days
    if late > 0:
        ended = "Ketra warranty ended" if period.lacking is None else "Ketra warranty is known to run through"
        said.append(
            f"{ended} {say_day(last)}; reported {say_day(reported_on)}: {_days(late)} late, "
            f"{source.term.report_days} allowed."
        )
        if reported_on > reportable_on:
            verdict = Verdict.NOT_COVERED if period.lacking is None else Verdict.UNDETERMINED
            return verdict, reportable_on, said
    if late <= 0:
        said.append(f"{say_day(day)} lies within it.")
    granted = GRANTED[source.term.covers_parts, source.term.covers_labor]
    said.append(f"{source.provider} owes it: {granted}.")
    return Verdict.COVERED, reportable_on, said


def _may_have_started(source: SourceFacts, period: WarrantyPeriod, day: date) -> bool:
    """Say whether the warranty could have started before its cap: the day that starts it is not recorded."""
    shipped = source.standing.shipped_on
    return period.is_assumed and not source.is_replacement and shipped is not None and shipped <= day


def plan_covers(source: SourceFacts, plans: Sequence[Plan], site_id: UUID | None) -> tuple[Cover, ...]:
    """Return what plans for a site cover of a source on any day, by start: cut to the limit of ten years, and to its end."""
    period, gone_on = warranty_of(source), source.standing.gone_on
    covers = [
        _cover(plan, period, gone_on)
        for plan in sorted(plans, key=lambda plan: (plan.starts_on, plan.name))
        if site_id in plan.site_ids and (plan.covers_parts or plan.covers_labor)
    ]
    return tuple(cover for cover in covers if cover.starts_on <= cover.ends_on)


def _cover(plan: Plan, period: WarrantyPeriod, gone_on: date | None) -> Cover:
    """Return what a plan covers: until its end, the ten years, or the day before it was taken out."""
    last = min(
        plan.ends_on,
        plan.ends_on if period.limit_on is None else period.limit_on,
        plan.ends_on if gone_on is None else gone_on - _ONE_DAY,
    )
    return Cover(plan.name, plan.provider, plan.covers_parts, plan.covers_labor, plan.starts_on, last)


def _by_plans(
    plans: Sequence[Plan], day: date, site_id: UUID | None, period: WarrantyPeriod, gone_on: date | None
) -> tuple[list[Cover], list[str]]:
    """Return (plans that cover it, by start; reasons). A cover ends with the ten years, or when it was taken out."""
    covers: list[Cover] = []
    said: list[str] = []
    reached = period.ends_on
    for plan in sorted(plans, key=lambda plan: (plan.starts_on, plan.name)):
        days = f"{say_day(plan.starts_on)} through {say_day(plan.ends_on)}"
        is_here = site_id in plan.site_ids and (plan.covers_parts or plan.covers_labor)
        if not plan.starts_on <= day <= plan.ends_on:
            said.append(f"{plan.name} covers {days}, not {say_day(day)}.")
            if is_here and reached is not None and reached < day < plan.starts_on:
                gap = _days((plan.starts_on - reached).days - 1)
                said.append(f"{plan.name} starts {say_day(plan.starts_on)}: gap of {gap}.")
        elif site_id is None or site_id not in plan.site_ids:
            said.append(f"{plan.name} is not for the site it was at on {say_day(day)}.")
        elif not (plan.covers_parts or plan.covers_labor):
            said.append(f"{plan.name} grants neither parts of this family nor labor.")
        elif period.limit_on is not None and day > period.limit_on:
            said.append(
                f"{plan.name} covers it at most {LIMIT_MONTHS} months past its warranty: {say_day(period.limit_on)}."
            )
        else:
            cover = _cover(plan, period, gone_on)
            covers.append(cover)
            said.append(f"{plan.name} covers {days}: {GRANTED[cover.parts, cover.labor]}.")
            if period.limit_on is None:
                said.append(
                    "The end of its warranty is unknown, so that the limit of ten years is not applied."
                )
        if is_here and reached is not None:
            reached = max(reached, plan.ends_on)
    return covers, said


def _undetermined(
    source: SourceFacts, lacking: Lacking, since: date | None = None, *before: str
) -> WarrantyPeriod:
    words = _LACKING_WORDS[lacking].format(family=source.family, ordered_on=say_day(source.ordered_on))
    return WarrantyPeriod(since, None, None, lacking, (*before, words))


def _limit(ends_on: date) -> date:
    """Return the last day a plan can cover: 120 months from the day after the warranty."""
    return last_day_of(ends_on + _ONE_DAY, LIMIT_MONTHS)


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"
