"""Frames in files, as the command reads and writes them: one kind of file a module."""
