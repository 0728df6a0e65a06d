"""Tables of the ledger, one file per document."""
