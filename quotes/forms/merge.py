"""Two people's drafts of one revision, side by side, and what becomes of them by each choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from werkzeug.datastructures import MultiDict

from quotes.forms.builder import SERVICE_WORDS, SaveDraftForm
from quotes.operations.quotes import LineInput, ServiceInput
from quotes.queries.quotes import QuotePage
from quotes.rules.content import ContentLine
from quotes.rules.diff import Change, diff_lines
from quotes.states import Category, ServiceKind, ServicesState
from referral.ids import new_id
from referral.money import format_cents
from referral.text import fold_model_number

MINE = "mine"
SAVED = "saved"
_HEADS: Mapping[str, str] = {
    "account_number": "Dealer's account number",
    "note": "Note to the dealer",
    "services": "Services and labor",
}


@dataclass(frozen=True)
class Side:
    """A line as one of the two drafts says it."""

    line_id: UUID
    model_number: str
    room: str
    quantity: int


@dataclass(frozen=True)
class LineChoice:
    """A line about which the two drafts differ; a side is None where that draft has no such line."""

    name: str
    """Of the control that chooses."""
    change: Change
    """From the saved draft to mine."""
    mine: Side | None
    saved: Side | None
    picked: str
    """MINE, SAVED, or '' while nothing is chosen."""

    @property
    def kept(self) -> Side | None:
        """The line as chosen; None leaves it out."""
        return self.mine if self.picked == MINE else self.saved


@dataclass(frozen=True)
class HeadChoice:
    """Another part of the draft about which the two differ, in words."""

    name: str
    key: str
    label: str
    mine: str
    saved: str
    picked: str


@dataclass(frozen=True)
class Merge:
    """What I typed against what is saved now."""

    lines: tuple[LineChoice, ...]
    """Those that differ: mine in their order, then those that only the saved draft has."""
    heads: tuple[HeadChoice, ...]
    same: int
    """How many lines say the same."""
    _order: tuple[LineChoice | Side, ...]
    _saved: QuotePage

    @property
    def differs(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self.lines or self.heads)

    @property
    def open(self) -> tuple[str, ...]:
        """The names of the choices that are not made."""
        choices: tuple[LineChoice | HeadChoice, ...] = (*self.lines, *self.heads)
        return tuple(choice.name for choice in choices if not choice.picked)

    def fields(self, sent: MultiDict[str, str]) -> MultiDict[str, str]:
        """Return the draft as chosen, as a form reads it; `sent` is what I typed."""
        pairs = [
            (name, text)
            for name, text in sent.items(multi=True)
            if not name.startswith(("lines-", "pick-")) and name != "all"
        ]
        kept = [row.kept if isinstance(row, LineChoice) else row for row in self._order]
        for index, line in enumerate(row for row in kept if row is not None):
            pairs += [
                (f"lines-{index}-line_id", str(line.line_id)),
                (f"lines-{index}-model_number", line.model_number),
                (f"lines-{index}-room", line.room),
                (f"lines-{index}-quantity", str(line.quantity)),
            ]
        saved = {head.key for head in self.heads if head.picked == SAVED}
        revision = self._saved.revision
        if "services" in saved:
            pairs = [pair for pair in pairs if not pair[0].startswith(("services-", "has_no_services"))]
            pairs += _service_fields(self._saved)
        for key in saved - {"services"}:
            pairs = [pair for pair in pairs if pair[0] != key] + [(key, getattr(revision, key))]
        return MultiDict(pairs)


def merge_of(form: SaveDraftForm, page: QuotePage, picks: Mapping[str, str], every: str = "") -> Merge:
    """Set a valid form beside the saved draft.

    `picks` are the choices by name, `every` is one choice for all. Lines that only one side has are kept
    until somebody says otherwise; for all others nothing is chosen in silence.
    """
    mine = _typed(form.line_inputs())
    saved = [
        _content(row.line.line_id, row.line.model_number, row.line.room, row.line.quantity)
        for row in page.lines
    ]
    order: list[LineChoice | Side] = []
    for number, change in enumerate(diff_lines(saved, mine)):
        before, after = change.before, change.after
        if change.change is Change.SAME and after is not None:
            order.append(_side(after))
            continue
        name = f"pick-{before.line_id.hex}" if before is not None else f"pick-new{number}"
        otherwise = MINE if before is None else SAVED if after is None else ""
        order.append(
            LineChoice(
                name,
                change.change,
                None if after is None else _side(after),
                None if before is None else _side(before),
                every or _pick(picks, name) or otherwise,
            )
        )
    lines = tuple(row for row in order if isinstance(row, LineChoice))
    heads = tuple(
        HeadChoice(f"pick-{key}", key, label, said, kept, every or _pick(picks, f"pick-{key}"))
        for key, label, said, kept in _heads(form, page)
        if said != kept
    )
    return Merge(lines, heads, len(order) - len(lines), tuple(order), page)


def _pick(picks: Mapping[str, str], name: str) -> str:
    said = picks.get(name, "")
    return said if said in {MINE, SAVED} else ""


def _typed(lines: Sequence[LineInput]) -> list[ContentLine]:
    """Return my lines with an id each: a new one for a new line."""
    used: set[UUID] = set()
    typed = []
    for line in lines:
        line_id = line.line_id if line.line_id is not None and line.line_id not in used else new_id()
        used.add(line_id)
        typed.append(_content(line_id, line.model_number, line.room, line.quantity))
    return typed


def _content(line_id: UUID, model_number: str, room: str, quantity: int) -> ContentLine:
    """Return a line without what today's list says of it: that is the same on both sides."""
    return ContentLine(
        line_id, fold_model_number(model_number), "", "", Category.OTHER, "", room, quantity, 0
    )


def _side(line: ContentLine) -> Side:
    return Side(line.line_id, line.model_number, line.room, line.quantity)


def _heads(form: SaveDraftForm, page: QuotePage) -> list[tuple[str, str, str, str]]:
    """Return (key, label, mine, saved) of all that is not a line."""
    revision = page.revision
    is_none = revision.services_state is ServicesState.NONE
    said = {
        "account_number": (form.account_number.data.strip(), revision.account_number),
        "note": (form.note.data, revision.note),
        "services": (
            _service_words(form.service_inputs(), is_none=form.has_no_services.data),
            _service_words(
                [ServiceInput(row.kind, row.description, row.amount_cents) for row in page.services],
                is_none=is_none,
            ),
        ),
    }
    return [(key, label, *said[key]) for key, label in _HEADS.items()]


def _service_words(services: Sequence[ServiceInput], *, is_none: bool) -> str:
    if is_none:
        return "None on this quote"
    return "\n".join(
        f"{SERVICE_WORDS[ServiceKind(row.kind)]}: {row.description or 'no description'}, {format_cents(row.amount_cents)}"
        for row in services
    )


def _service_fields(page: QuotePage) -> list[tuple[str, Any]]:
    if page.revision.services_state is ServicesState.NONE:
        return [("has_no_services", "y")]
    return [
        pair
        for index, row in enumerate(page.services)
        for pair in (
            (f"services-{index}-kind", row.kind.value),
            (f"services-{index}-description", row.description),
            (f"services-{index}-amount", format_cents(row.amount_cents)),
        )
    ]
