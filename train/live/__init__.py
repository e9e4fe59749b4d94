"""The live path on videos with ground truth: `evaluate --stream` and `make-stream`."""
