"""The pages a person can look at."""
