"""Tables of the quotes floor, one file per document."""
