"""How fast the ledger is, beside what others do on the same machine in the same run."""
