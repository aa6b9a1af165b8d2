"""Borders: what comes in and goes out, arguments that are checked, files that are read and written."""
