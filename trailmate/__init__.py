"""The front door: the command line and the typed Python client."""
