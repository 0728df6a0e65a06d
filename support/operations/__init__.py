"""What support writes."""
