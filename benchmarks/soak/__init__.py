"""Hours of visitors, troublemakers and attackers: `python -m benchmarks.soak`."""
