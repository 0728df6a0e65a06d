"""The year's workbook: how it is written, and how it is compared with the ledger later."""
