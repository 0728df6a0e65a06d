"""What people type about support."""
