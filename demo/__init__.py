"""The demo: invented data, in its own database."""
