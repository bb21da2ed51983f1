"""A user's own data to train on: columns get roles, rows become items, and a set is kept under a key of its content."""
