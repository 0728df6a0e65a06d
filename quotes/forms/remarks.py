"""A remark on a revision or one of its lines."""

from __future__ import annotations

from wtforms.widgets import HiddenInput

from quotes.operations.remarks import REMARK_LENGTH
from referral.formkit import HouseForm, LineField, ParagraphField

LINE_ID_LENGTH = 40


class AddRemarkForm(HouseForm):
    """What is said, and the line it is about; without a line it is about the whole revision."""

    line_id = LineField("Line", optional=True, longest=LINE_ID_LENGTH, widget=HiddenInput())
    text = ParagraphField("Your remark", longest=REMARK_LENGTH)
