"""`python -m backend.cli` is the `podium` command."""

from backend.cli import main

main()
