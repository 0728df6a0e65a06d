"""What the warranty floor writes."""
