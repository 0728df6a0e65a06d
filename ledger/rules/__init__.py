"""Pure rules of the ledger: arithmetic, digests, periods. No database, no clock."""
