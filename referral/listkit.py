"""Lists: the filters an address carries, the views a person keeps of them, and a list as a workbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlencode

from flask import current_app, request, send_file, url_for
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response
from wtforms import SelectField

from referral.errors import Refusal
from referral.formkit import HouseForm
from referral.queries.saved_views import SavedViewRow, saved_views
from referral.webkit import ask, current_viewer

WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PLACE = "after"
"""What an address carries beside the filters: the key the list continues after."""
SHOWN_NAME = 60
"""Characters of a wrong name that a page repeats."""


class FilterForm(HouseForm):
    """The filters of a list, one field each; all may be missing. Subclasses name the fields."""

    class Meta(FlaskForm.Meta):
        """A filter changes nothing, so it needs no token."""

        csrf = False

    @property
    def query(self) -> dict[str, str]:
        """What is filtered, as the address carries it: names and texts, without the empty ones."""
        texts = {each.name: _text_of(each) for each in self}
        return {name: text for name, text in texts.items() if text}

    @property
    def in_words(self) -> tuple[tuple[str, str], ...]:
        """What is filtered, in words for people: labels and texts."""
        said = self.query
        return tuple(
            (each.label.text, _words_of(each, said[each.name])) for each in self if each.name in said
        )


def _text_of(each: Any) -> str:
    """Return a filter as the address carries it: as it was typed, cleaned."""
    return str(each.data or "") if isinstance(each, SelectField) else str(each._value())  # noqa: SLF001 - what the control shows


def _words_of(each: Any, text: str) -> str:
    if isinstance(each, SelectField):
        return next(str(label) for value, label, *_ in each.iter_choices() if value == text)
    return text


Filters = TypeVar("Filters", bound=FilterForm)


def read_filters(make_form: type[Filters], said: MultiDict[str, str]) -> Filters:
    """Return the filters that an address carries; what cannot be read stands in the form's errors.

    Raises Refusal(not_found), in plain words, for a filter that the list does not have, a state that there is
    not, and a name that stands twice: a misspelt filter must not list everything.
    """
    form = make_form(formdata=said)
    known = {each.name for each in form}
    for name in said:
        if name not in known | {PLACE}:
            words = ", ".join(sorted(known))
            raise Refusal(
                "not_found", f"This list has no filter “{name[:SHOWN_NAME]}”. Its filters are: {words}."
            )
        if len(said.getlist(name)) > 1:
            raise Refusal("not_found", f"The filter “{name}” stands in the address twice.")
    form.validate()
    for each in form:
        if isinstance(each, SelectField) and each.errors:
            text = str(each.data)[:SHOWN_NAME]
            raise Refusal("not_found", f"The filter “{each.name}” knows no “{text}” in this list.")
    return form


def readable_filters(make_form: type[Filters], said: MultiDict[str, str]) -> Filters:
    """Return the filters as `read_filters` does, for an answer that has no place for a field's error.

    Raises Refusal(invalid_input) where one cannot be read.
    """
    form = read_filters(make_form, said)
    for each in form:
        if each.errors:
            raise Refusal("invalid_input", f"{each.label.text}: {' '.join(map(str, each.errors))}")
    return form


@dataclass(frozen=True)
class Shown:
    """A list as it is shown: its endpoint, its filters, the place in it, and the views the person keeps of it."""

    endpoint: str
    form: FilterForm
    after: str | None
    views: tuple[SavedViewRow, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)

    def url(self, **changes: str | None) -> str:
        """Return the address of the list with these filters changed, from its beginning."""
        values: dict[str, Any] = {**self.query, **changes}
        return url_for(self.endpoint, **values)

    @property
    def all_url(self) -> str:
        """The address of the list without filters."""
        return url_for(self.endpoint)

    def view_url(self, view: SavedViewRow) -> str:
        """Return the address of a view that is kept."""
        return f"{self.all_url}?{view.query}"

    @property
    def said(self) -> str:
        """The filters as one text, the way a kept view holds them."""
        return urlencode(self.query)

    @property
    def kept(self) -> SavedViewRow | None:
        """The view that shows just this, if one is kept."""
        return next((view for view in self.views if view.query == self.said), None)

    @property
    def said_more(self) -> tuple[tuple[str, str], ...]:
        """What is filtered beside the state, which the tabs show, in words."""
        state = self.form["state"].label.text if "state" in self.form else ""
        return () if self.form.errors else tuple(each for each in self.form.in_words if each[0] != state)


def shown_list(endpoint: str, form: FilterForm) -> Shown:
    """Return the list that the present request asks for, with the person's views of it."""
    views = ask(saved_views, viewer=current_viewer(), list_name=endpoint)
    query = {} if form.errors else form.query
    return Shown(endpoint, form, request.args.get(PLACE) or None, views, query)


def list_forms() -> Mapping[str, type[FilterForm]]:
    """Return the lists of which views can be kept: endpoint and filters; the roof names them."""
    found: Mapping[str, type[FilterForm]] = current_app.extensions["lists"]
    return found


def send_workbook(name: str, write: Callable[[BinaryIO], object]) -> Response:
    """Answer with the workbook that `write` writes: into a file, so that its length costs no memory."""
    with ExitStack() as stack:
        out = stack.enter_context(TemporaryFile())
        write(out)
        size = out.tell()
        out.seek(0)
        answer = send_file(out, mimetype=WORKBOOK_TYPE, as_attachment=True, download_name=name)
        answer.content_length = size
        stack.pop_all()
    return answer
