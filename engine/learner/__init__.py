"""What we know of a learner."""
