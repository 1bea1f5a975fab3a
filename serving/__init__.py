"""Answers schools over HTTP, and keeps what they tell."""
