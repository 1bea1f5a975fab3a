"""Worlds with laws of learning that are not the engine's own, to judge policies in."""
