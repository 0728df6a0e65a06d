"""The ground floor: companies, people, permissions, referrals, audit, and the tools every floor uses."""
