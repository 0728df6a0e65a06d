"""Shapes of the ledger in the API, one file per document."""
