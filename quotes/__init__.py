"""Price lists, quotes, revisions, approvals and orders."""
