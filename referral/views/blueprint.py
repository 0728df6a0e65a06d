"""The blueprint that the pages of this floor hang on; their endpoints begin with `referral.`."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("referral", __name__)
