"""The pages of the quotes floor, one file per document."""
