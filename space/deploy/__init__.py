"""From this repository to a Space on the Hub: `python -m space.deploy`."""
