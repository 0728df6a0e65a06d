"""Reading a reviewed file's values: each has its shape, and what is wrong is named with its place."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn, TypeVar

_Choice = TypeVar("_Choice", bound=enum.StrEnum)


class Reviewed:
    """A mapping out of a reviewed file. Every method raises ValueError with the place of what is wrong."""

    __slots__ = ("content", "path")

    def __init__(self, content: object, path: str) -> None:
        if not isinstance(content, Mapping):
            _refuse(path, "must be an object")
        self.content: Mapping[str, object] = content
        self.path = path

    def at(self, key: str) -> str:
        """Return the place of a value."""
        return f"{self.path}.{key}"

    def only(self, *keys: str, optional: tuple[str, ...] = ()) -> None:
        """Guard: it has these keys and no others, but for the optional ones."""
        for key in keys:
            if key not in self.content:
                _refuse(self.at(key), "is missing")
        for key in self.content:
            if key not in keys and key not in optional:
                _refuse(self.at(str(key)), "is not known here")

    def line(self, key: str) -> str:
        """Return a text that is not empty."""
        value = self.content.get(key)
        if not isinstance(value, str) or not value.strip():
            _refuse(self.at(key), "must be a text that is not empty")
        return value

    def whole(self, key: str) -> int:
        """Return a whole number."""
        value = self.content.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            _refuse(self.at(key), "must be a whole number")
        return value

    def flag(self, key: str) -> bool:
        """Return true or false; false where it is not said."""
        value = self.content.get(key, False)
        if not isinstance(value, bool):
            _refuse(self.at(key), "must be true or false")
        return value

    def choice(self, key: str, kind: type[_Choice]) -> _Choice:
        """Return one of the words of an enum."""
        return self._word(self.content.get(key), kind, self.at(key))

    def choice_or_none(self, key: str, kind: type[_Choice]) -> _Choice | None:
        """Return one of the words of an enum; None where it is null or not said."""
        return None if self.content.get(key) is None else self.choice(key, kind)

    def choices(self, key: str, kind: type[_Choice]) -> tuple[_Choice, ...]:
        """Return words of an enum; none where it is not said."""
        return tuple(self._word(each, kind, place) for place, each in self.each(key))

    def lines(self, key: str) -> tuple[str, ...]:
        """Return texts that are not empty; none where it is not said."""
        found = []
        for place, each in self.each(key):
            if not isinstance(each, str) or not each.strip():
                _refuse(place, "must be a text that is not empty")
            found.append(each)
        return tuple(found)

    def each(self, key: str) -> Iterator[tuple[str, object]]:
        """Go through a list, each with its place; through nothing where it is not said."""
        values = self.content.get(key, ())
        if not isinstance(values, list | tuple):
            _refuse(self.at(key), "must be a list")
        for index, each in enumerate(values):
            yield f"{self.at(key)}[{index}]", each

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Put the place before a ValueError that names no place in the file."""
        try:
            yield
        except ValueError as wrong:
            if str(wrong).startswith(self.path):
                raise
            raise ValueError(f"{self.path}.{wrong}") from wrong

    @staticmethod
    def _word(value: object, kind: type[_Choice], place: str) -> _Choice:
        try:
            return kind(str(value) if isinstance(value, str) else "")
        except ValueError:
            words = ", ".join(each.value for each in kind)
            raise ValueError(f"{place}: must be one of {words}") from None


def _refuse(place: str, words: str) -> NoReturn:
    raise ValueError(f"{place}: {words}")
