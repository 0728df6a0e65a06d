"""Commands of the ledger, one file per verb."""
