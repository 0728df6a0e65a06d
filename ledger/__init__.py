"""Sales credit: accounts, entries, postings, levels, statements, exports."""
