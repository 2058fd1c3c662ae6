"""`python -m copilot` is the command line."""

from copilot.cli import main

main()
