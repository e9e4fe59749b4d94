"""Fetched files -> images with one clear face: `python -m data_tools filter`."""
