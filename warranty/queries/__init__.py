"""What the warranty floor reads."""
