"""Kept images -> splits -> a data set on the Hub, and back: `split`, `publish`, `materialize`."""
