"""Pages: companies."""
