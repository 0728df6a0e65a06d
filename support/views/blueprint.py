"""The blueprint that the pages of this floor hang on; their endpoints begin with `support.`."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("support", __name__)
