"""Fourth floor: warranty terms, installed sources, coverage and claims."""
