"""The JSON API of the warranty floor."""
