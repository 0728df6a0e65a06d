"""What people type on the pages of the quotes floor: shape in, shape out, one file per document."""
