"""Worlds in which policies teach learners whose gain can be measured."""
