"""Pages of people: users, groups, sign-in, and the audit trail."""
