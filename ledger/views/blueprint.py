"""The blueprint that the pages of this floor hang on; their endpoints begin with `ledger.`."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("ledger", __name__)
