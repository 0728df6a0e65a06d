"""Pages: price_lists."""
