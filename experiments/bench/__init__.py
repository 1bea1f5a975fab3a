"""What docs/figures.md reports, measured; never part of the tests."""
