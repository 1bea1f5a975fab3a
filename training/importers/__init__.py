"""Somebody else's files brought to the tables of the log."""
