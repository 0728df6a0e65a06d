"""Writes of the quotes floor, one file per document. Each verb takes (tx, *, actor, at, …)."""
