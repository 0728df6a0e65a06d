"""What programs send and get of bills of material."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from quotes.rules.bills import BillColumn
from quotes.schemas.quotes import DRAFT_VERSION_MAX
from referral.schemakit import AnswerSchema, HouseSchema, Line, Tick, WholeNumber
from referral.sheetkit.guard import MAX_COLUMNS

LONGEST_NAME = 200
LONGEST_TEXT = 4_000_000
HEADING_MAX = 1_000


class BillColumnsSchema(HouseSchema):
    """Which column holds what, counted from 1."""

    model_number = WholeNumber(minimum=1, maximum=MAX_COLUMNS)
    quantity = WholeNumber(minimum=1, maximum=MAX_COLUMNS)
    room = WholeNumber(minimum=1, maximum=MAX_COLUMNS, optional=True)
    list_price = WholeNumber(minimum=1, maximum=MAX_COLUMNS, optional=True)

    @post_load
    def make(self, said: dict[str, Any], **_kwargs: object) -> dict[BillColumn, int]:
        """Return the columns that are named."""
        return {BillColumn(name): at for name, at in said.items() if at is not None}


class ImportBillSchema(HouseSchema):
    """A bill as `text` (comma, semicolon or tab separated) or as `file` (.xlsx or text, in Base64).

    Without `columns` the headings tell them; a needed column that none names is refused. `heading_row` 0 says
    that there are none. `dry_run` saves nothing. `draft_version` is the one you read, and is not checked where
    missing.
    """

    text = fields.String(load_default="", validate=validate.Length(max=LONGEST_TEXT))
    file = fields.String(load_default="")
    filename = Line(optional=True, longest=LONGEST_NAME)
    sheet = Line(optional=True, longest=100)
    heading_row = WholeNumber(minimum=0, maximum=HEADING_MAX, optional=True)
    columns = fields.Nested(BillColumnsSchema, load_default=None, allow_none=True)
    adds_up = Tick(optional=True)
    good_only = Tick(optional=True)
    replace = Tick(optional=True)
    dry_run = Tick(optional=True)
    draft_version = WholeNumber(minimum=1, maximum=DRAFT_VERSION_MAX, optional=True)

    @validates_schema
    def one_of_two(self, said: dict[str, Any], **_kwargs: object) -> None:
        """Take a text or a file."""
        if bool(said.get("text")) == bool(said.get("file")):
            raise ValidationError("Send a text or a file.", "file")
        if said.get("columns") and said.get("heading_row") is None:
            raise ValidationError("Say which row holds the headings, 0 for none.", "heading_row")

    @post_load
    def decode(self, said: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        """Return the bytes of what is to be read."""
        text, file = said.pop("text"), said.pop("file")
        try:
            content = base64.b64decode(file, validate=True) if file else text.encode("utf-8", "replace")
        except (binascii.Error, ValueError) as error:
            raise ValidationError("Send Base64.", "file") from error
        return {**said, "content": content, "filename": said["filename"] or ("bill" if file else "bill.tsv")}


class BillProblemSchema(AnswerSchema):
    """One thing wrong in a row; `field` is the cell."""

    code = fields.String()
    message = fields.String()
    field = fields.String()


class RefusedBillRowSchema(AnswerSchema):
    """A row that is refused."""

    row = fields.Integer(attribute="number")
    problems = fields.List(fields.Nested(BillProblemSchema))


class LeftOutBillRowSchema(AnswerSchema):
    """A row that is no line of the bill."""

    row = fields.Integer(attribute="number")
    why = fields.String()
    said = fields.String()


class NearestModelSchema(AnswerSchema):
    """An item of today's list."""

    model_number = fields.String()
    description = fields.String()


class UnknownModelSchema(AnswerSchema):
    """A model number that is not on today's list; `retired_from` is the newest earlier list that has it."""

    model_number = fields.String()
    rows = fields.Integer(attribute="row_count")
    retired_from = fields.Integer(allow_none=True)
    nearest = fields.List(fields.Nested(NearestModelSchema))


class RecalledModelSchema(AnswerSchema):
    """A model number of the lines whose price is recalled: it can be saved, and not be submitted."""

    model_number = fields.String()
    reason = fields.String()


class BillReportSchema(AnswerSchema):
    """The verdict over every row; `is_saved` says whether the draft has the lines now."""

    id = fields.String()
    revision = fields.Integer()
    draft_version = fields.Integer()
    is_saved = fields.Boolean()
    sha256 = fields.String()
    sheet = fields.String()
    heading_row = fields.Integer()
    columns = fields.Dict(keys=fields.String(), values=fields.Integer())
    notes = fields.List(fields.String())
    rows = fields.Integer()
    good_rows = fields.Integer()
    lines = fields.Integer()
    blank_rows = fields.Integer()
    refused = fields.List(fields.Nested(RefusedBillRowSchema))
    left_out = fields.List(fields.Nested(LeftOutBillRowSchema))
    unknown_models = fields.List(fields.Nested(UnknownModelSchema), attribute="unknown")
    recalled_models = fields.List(fields.Nested(RecalledModelSchema), attribute="recalled")
