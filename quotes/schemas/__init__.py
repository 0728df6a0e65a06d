"""What programs send and get of the quotes floor, one file per document."""
