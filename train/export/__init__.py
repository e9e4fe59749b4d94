"""Checkpoint -> calibrated bundle: `python -m train export`, `calibrate` and `measure`."""
