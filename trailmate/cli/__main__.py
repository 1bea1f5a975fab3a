"""`python -m trailmate.cli`, for where the script is not on the path."""

from trailmate.cli import main

main()
