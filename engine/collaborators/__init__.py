"""Whom to learn with: groups for a class."""
