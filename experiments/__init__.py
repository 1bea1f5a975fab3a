"""Is it better? Simulated schools, replays, comparisons and benchmarks."""
