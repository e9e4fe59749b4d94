"""A work folder as one HTML page: `python -m data_tools report`."""
