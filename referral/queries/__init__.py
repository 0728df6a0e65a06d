"""Reads of the ground floor, scoped to the viewer, one file per document."""
