"""From a data set to a measured bundle: `python -m train --help`."""
