"""From candidates to a slate: who may be shown, how relevant, which few."""
