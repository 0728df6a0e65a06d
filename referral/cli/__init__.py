"""Commands of the ground floor, one file per document."""
