"""Other public tools and this one on the same pictures in one run: `python -m benchmarks.peers`."""
