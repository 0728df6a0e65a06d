"""One field for each line of a document: quantities, remarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from wtforms import Field
from wtforms.fields.core import UnboundField
from wtforms.utils import unset_value


@dataclass(frozen=True)
class LineEntry:
    """The field of one line; `form` lets a refusal find it by its name."""

    line_id: UUID
    field: Field

    @property
    def form(self) -> tuple[Field, ...]:
        """The fields of this line."""
        return (self.field,)


class PerLineField(Field):
    """A field for each line id, named `<name>-<line id>`; `data` maps line ids to what was typed.

    Lines left empty are not in `data`. What comes in decides which lines there are; whether they belong to
    the document is for the operation to say.
    """

    def __init__(self, label: str, unbound: UnboundField, **kwargs: Any) -> None:
        """Make a copy of `unbound` for each line."""
        super().__init__(label, **kwargs)
        self.type = "FieldList"  # the error summary names it and points to the lines
        self.unbound = unbound
        self._by_id: dict[UUID, LineEntry] = {}
        self.given: Mapping[UUID, Any] = {}

    def process(
        self,
        formdata: Any,
        data: Any = unset_value,
        extra_filters: Any = None,  # noqa: ARG002 - the library's signature
    ) -> None:
        """Take the lines of what came in, or of `data` where nothing did."""
        self.process_errors: list[str] = []
        self.given = {} if data is unset_value or data is None else data
        ids: Iterable[UUID] = self.given
        if formdata:
            prefix = f"{self.name}-"
            texts = sorted(name.removeprefix(prefix) for name in formdata if name.startswith(prefix))
            ids = [line_id for text in texts if (line_id := _line_id(text)) is not None]
        self._by_id = {line_id: self._entry(line_id, formdata or None) for line_id in ids}

    @property
    def entries(self) -> list[LineEntry]:
        """The lines there are."""
        return list(self._by_id.values())

    def _entry(self, line_id: UUID, formdata: Any) -> LineEntry:
        field = self.unbound.bind(
            form=None, name=f"{self.name}-{line_id}", _meta=self.meta, translations=self._translations
        )
        field.process(formdata, self.given.get(line_id, unset_value))
        return LineEntry(line_id, field)

    def of(self, line_id: UUID) -> Field:
        """Return the field of a line, an empty one where nothing was said of it."""
        if line_id not in self._by_id:
            self._by_id[line_id] = self._entry(line_id, None)
        return self._by_id[line_id].field

    def validate(self, form: Any, extra_validators: Any = ()) -> bool:  # noqa: ARG002 - the library's signature
        """Validate each line's field."""
        results = [entry.field.validate(form) for entry in self.entries]
        return all(results)

    @property
    def errors(self) -> list[str]:
        """Every line's errors."""
        return [error for entry in self.entries for error in entry.field.errors]

    @property
    def data(self) -> dict[UUID, Any]:
        """What was typed, by line id, without the lines left empty."""
        return {
            entry.line_id: entry.field.data for entry in self.entries if entry.field.data not in (None, "")
        }

    @data.setter
    def data(self, value: Mapping[UUID, Any] | None) -> None:
        self.given = value or {}


def _line_id(text: str) -> UUID | None:
    try:
        line_id = UUID(text)
    except ValueError:
        return None
    return line_id if str(line_id) == text else None
