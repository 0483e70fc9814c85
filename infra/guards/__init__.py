"""Checks that stop a run before it does harm: some run before everything, some before each creation."""
