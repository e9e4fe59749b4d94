"""Several architectures on one budget: `python -m train compare`."""
