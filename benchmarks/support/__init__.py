"""What several benchmarks share: programs, connections, a slow link."""
