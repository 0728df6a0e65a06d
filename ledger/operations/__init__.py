"""Writes of the ledger, one file per document. Each verb takes (tx, *, actor, at, …)."""
