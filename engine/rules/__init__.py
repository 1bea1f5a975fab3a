"""Teachers' rules: their language, who is under which, what they do to a slate, and the proof that they held."""
