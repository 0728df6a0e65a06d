"""What warranty terms can say, and which orders they are for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date

from referral.errors import Problem, Refusal
from warranty.models.terms import WarrantyTerm
from warranty.states import StartRule

TERM_SET = "warranty_term.set"
"""The event of the audit trail that tells what was recorded."""
LONGEST_MONTHS = 600
LONGEST_DAYS = 3650
START_WORDS = {
    StartRule.SHIPPED: "When it ships",
    StartRule.DELIVERED: "When it is delivered",
    StartRule.COMMISSIONED: "When it is commissioned",
}


@dataclass(frozen=True)
class TermInput:
    """Terms of a family as they are asked for; see warranty.models.terms.WarrantyTerm."""

    family: str
    valid_from: date
    months: int
    start_rule: StartRule
    cap_days: int | None
    covers_parts: bool
    covers_labor: bool
    report_days: int
    replacement_days: int
    source: str
    reason: str


def guard_term(said: TermInput) -> None:
    """Guard: the terms can be kept, and say something. Raises Refusal(invalid_input) with every problem."""
    problems = []
    if not 1 <= said.months <= LONGEST_MONTHS:
        problems.append(("months", f"Type 1 to {LONGEST_MONTHS} months."))
    days = {"cap_days": said.cap_days, "report_days": said.report_days}
    for name, count in (days | {"replacement_days": said.replacement_days}).items():
        if count is not None and not 0 <= count <= LONGEST_DAYS:
            problems.append((name, f"Type 0 to {LONGEST_DAYS:,} days."))
    if said.cap_days is not None and said.start_rule is StartRule.SHIPPED:
        problems.append(("cap_days", "A warranty that starts with shipping is never late: leave this empty."))
    if not said.covers_parts and not said.covers_labor:
        problems.append(("covers_parts", "Tick parts, labor or both."))
    if not said.source.strip():
        problems.append(("source", "Say where the program says so."))
    if problems:
        found = tuple(Problem("invalid_input", message, field) for field, message in problems)
        raise Refusal("invalid_input", found[0].message, found[0].field, problems=found)


def next_first_day(first_days: Iterable[date], valid_from: date) -> date | None:
    """Return the first order day that later terms are for; None where these are the last ones."""
    return min((day for day in first_days if day > valid_from), default=None)


def told_of_term(term: WarrantyTerm) -> dict[str, object]:
    """Return what the audit trail tells of recorded terms: all of it but the family and who, which it names itself."""
    return {
        "term": str(term.id),
        "valid_from": term.valid_from.isoformat(),
        "months": term.months,
        "start_rule": term.start_rule.value,
        "cap_days": term.cap_days,
        "covers_parts": term.covers_parts,
        "covers_labor": term.covers_labor,
        "report_days": term.report_days,
        "replacement_days": term.replacement_days,
        "source": term.source,
        "reason": term.reason,
        "set_at": term.set_at.astimezone(UTC).isoformat(),
    }
