"""The blueprint that the pages of this floor hang on; their endpoints begin with `quotes.`."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("quotes", __name__)
