"""Writes of the ground floor, one file per document. Each verb takes (tx, *, actor, at, …)."""
