"""The JSON API of the quotes floor, one file per document."""
