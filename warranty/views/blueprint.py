"""The blueprint that the pages of this floor hang on; their endpoints begin with `warranty.`."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("warranty", __name__)
