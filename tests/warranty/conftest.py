"""The fixture of tests that record something of installed sources."""

from __future__ import annotations

import pytest

from tests.warranty.grounds import Ground, make_ground


@pytest.fixture
def ground(tx) -> Ground:
    """Give a project whose ten lights and ten trims have shipped."""
    return make_ground(tx)
