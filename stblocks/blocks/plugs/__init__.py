"""Plugs: stages that rewrite what a cell already has, for any cell that has it."""
