"""One file for each step; a new one names the one before it, and `tables.HEAD` names the last."""
