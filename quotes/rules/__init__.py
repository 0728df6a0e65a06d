"""Pure rules of quotes, one file per document."""
