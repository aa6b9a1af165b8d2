"""The command `stblocks`: one file a command, which imports torch and the rest when it runs and not before."""

from .command import main

__all__ = ["main"]
