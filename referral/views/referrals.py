"""Pages: referrals."""
