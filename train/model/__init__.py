"""Networks, what they start from, and what they minimise."""
