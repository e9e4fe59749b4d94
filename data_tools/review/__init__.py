"""Label issues -> decisions of a reviewer: `python -m data_tools review`."""
