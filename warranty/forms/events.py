"""Forms that record what happened to installed sources, and correct it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, SelectChoice, SelectField, ValidationError
from wtforms.widgets import HiddenInput

from referral.formkit import (
    DayField,
    HouseForm,
    LineField,
    ParagraphField,
    QuantityField,
    TicksField,
)
from warranty.queries.sites import SiteRow
from warranty.states import SourceEventKind

ROOM_LENGTH = 100
SERIAL_LENGTH = 100
REASON_LENGTH = 500
LARGEST_COUNT = 1_000_000_000

KIND_WORDS = {
    SourceEventKind.DELIVERED: "Delivered",
    SourceEventKind.COMMISSIONED: "Commissioned",
    SourceEventKind.MOVED: "Moved",
    SourceEventKind.RETIRED: "Taken out",
}
TOGETHER_WORDS = {
    kind: KIND_WORDS[kind]
    for kind in (SourceEventKind.DELIVERED, SourceEventKind.COMMISSIONED, SourceEventKind.MOVED)
}


def needed_number(checked: QuantityField) -> None:
    """Refuse a hidden number of blanks: nothing is changed unread."""
    if checked.data is None:
        raise ValidationError("Load the page again.")


class _ReadForm(HouseForm):
    """A form of a source, which says what it was read with."""

    event_count = QuantityField("Events read", maximum=LARGEST_COUNT, widget=HiddenInput())

    def validate_event_count(self, checked: QuantityField) -> None:
        """Refuse blanks."""
        needed_number(checked)


def _offer_place(
    form: HouseForm, kind: SourceEventKind, field: SelectField, room: str, sites: Sequence[SiteRow]
) -> None:
    if kind is SourceEventKind.MOVED:
        field.choices = [SelectChoice(str(site.number), site.words) for site in sites]
    else:
        del form[room], form["site_number"]


def _said(form: HouseForm, *names: str) -> dict[str, Any]:
    said: dict[str, Any] = {name: form[name].data if name in form else "" for name in names}
    said["site_number"] = int(said["site_number"]) if said["site_number"] else None
    return said


class RecordEventForm(_ReadForm):
    """What happened to a source, and on which day there."""

    happened_on = DayField("Day")
    site_number = SelectField("Site")
    room = LineField("Room", optional=True, longest=ROOM_LENGTH)
    reason = ParagraphField("Reason", optional=True, longest=REASON_LENGTH)

    def offer(self, kind: SourceEventKind, sites: Sequence[SiteRow]) -> None:
        """Ask for what belongs to this kind: of a move where to, of what ends something why."""
        _offer_place(self, kind, self.site_number, "room", sites)
        if kind is not SourceEventKind.RETIRED:
            del self.reason

    @property
    def place(self) -> dict[str, Any]:
        """Where it was moved to, and why; empty where that is not asked for."""
        return _said(self, "site_number", "room", "reason")


class IdentifySourceForm(_ReadForm):
    """The serial number a unit bears."""

    serial = LineField("Serial number", longest=SERIAL_LENGTH)


class SplitSourceForm(_ReadForm):
    """Units to be recorded apart from their group."""

    quantity = QuantityField("Units to record apart")
    room = LineField("Room", optional=True, longest=ROOM_LENGTH)


class CorrectEventForm(_ReadForm):
    """Why an event was wrong."""

    reason = ParagraphField("Reason", longest=REASON_LENGTH)


class RecordSwapForm(_ReadForm):
    """Which replacement took the place of a source, and when."""

    new_ref = SelectField("Replacement")
    happened_on = DayField("Day")
    reason = ParagraphField("Reason", optional=True, longest=REASON_LENGTH)

    def offer(self, choices: Sequence[tuple[str, str]]) -> None:
        """Offer the replacements that are free: number and words of each."""
        self.new_ref.choices = [SelectChoice(ref, words) for ref, words in choices]


class RecordProjectEventsForm(HouseForm):
    """What happened to many sources of a project on one day."""

    happened_on = DayField("Day")
    site_number = SelectField("Site")
    new_room = LineField("Room", optional=True, longest=ROOM_LENGTH)
    every = BooleanField("All of the list")
    source_refs = TicksField("Sources")
    count = QuantityField("Sources read", minimum=0, maximum=LARGEST_COUNT, widget=HiddenInput())

    def validate_source_refs(self, checked: TicksField) -> None:
        """Refuse to guess whether all or the ticked ones are meant."""
        if self.every.data and checked.data:
            raise ValidationError("Take the tick at “All of the list” away, or the ticks below it.")

    def validate_count(self, checked: QuantityField) -> None:
        """Refuse blanks."""
        needed_number(checked)

    def offer(self, kind: SourceEventKind, sites: Sequence[SiteRow], refs: Sequence[str]) -> None:
        """Ask for the place of a move alone, and offer the sources that are shown."""
        _offer_place(self, kind, self.site_number, "new_room", sites)
        self.source_refs.choices = [SelectChoice(ref, ref) for ref in refs]

    @property
    def place(self) -> dict[str, Any]:
        """Where they were moved to; empty where that is not asked for."""
        return _said(self, "site_number", "new_room")

    @property
    def chosen(self) -> list[str] | None:
        """The ticked sources; None for all of the list."""
        ticked: Any = self.source_refs.data
        return None if self.every.data else list(ticked or ())
