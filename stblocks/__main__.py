"""`python -m stblocks` is the command `stblocks`."""

from .cli import main

main()
