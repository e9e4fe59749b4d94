"""Requests to remove images, carried out everywhere: `python -m data_tools remove`."""
