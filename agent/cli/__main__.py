"""``python -m agent.cli``: the command ``pickup`` without its script, for child processes."""

from agent.cli import main

main()
