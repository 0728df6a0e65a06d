"""The forms of loading a catalogue: a file, and why it is loaded."""

from __future__ import annotations

from flask_wtf.file import FileField
from wtforms.widgets import HiddenInput

from referral.formkit import HouseForm, LineField, ParagraphField

SHA256_LENGTH = 64


class UploadCatalogueForm(HouseForm):
    """A catalogue as a file."""

    file = FileField("File", description="A service catalogue as JSON, 1 MB at most.")


class LoadCatalogueForm(HouseForm):
    """What was previewed, sent back with why it is loaded."""

    sha256 = LineField("File", longest=SHA256_LENGTH, widget=HiddenInput())
    reason = ParagraphField(
        "Reason", render_kw={"rows": 3}, description="Why it is loaded now. It stands with each new version."
    )
