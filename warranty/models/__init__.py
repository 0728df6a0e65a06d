"""Tables of the warranty floor."""
