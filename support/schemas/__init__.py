"""What programs send and get of support."""
