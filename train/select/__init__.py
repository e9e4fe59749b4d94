"""Which of several networks is to be kept: `python -m train select`, by a rule written down before the first run."""
