"""The doors: parse, call one workflow, answer."""
