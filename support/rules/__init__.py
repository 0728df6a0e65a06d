"""Rules of support: pure functions over dated data."""
