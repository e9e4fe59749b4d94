"""The live view in a real browser, measured: `python -m benchmarks.live`."""
