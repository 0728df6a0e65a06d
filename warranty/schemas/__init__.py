"""Shapes of the warranty floor's API."""
