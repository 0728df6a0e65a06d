"""Pages: builder."""
