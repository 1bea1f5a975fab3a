"""What a learner should do next: pure thinking, no web, no database, no clock."""
