"""The JSON API of support."""
