"""Search results, lists of URLs and folders -> rows with fetched files: `python -m data_tools collect`."""
