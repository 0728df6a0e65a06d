"""The forms beside the builder: copying from another quote, setting a hint aside."""

from __future__ import annotations

from wtforms import BooleanField
from wtforms.widgets import HiddenInput

from quotes.forms.builder import LARGEST_VERSION
from referral.formkit import HouseForm, LineField, ParagraphField, QuantityField

REASON_LENGTH = 500
REF_LENGTH = 60


class CopyLinesForm(HouseForm):
    """Which revision of which quote is copied, and what becomes of the lines that are there."""

    source = LineField("Quote", longest=REF_LENGTH, widget=HiddenInput())
    source_revision = QuantityField("Revision", maximum=999_999, widget=HiddenInput())
    draft_version = QuantityField("Version of the draft", maximum=LARGEST_VERSION, widget=HiddenInput())
    replaces = BooleanField("Take the lines away that are on the draft now")
    good_only = BooleanField("Copy without the lines that are not on today's list")


class IgnoreHintForm(HouseForm):
    """Why something that the catalogue says is left out."""

    reason = ParagraphField("Why it is left out", longest=REASON_LENGTH)
