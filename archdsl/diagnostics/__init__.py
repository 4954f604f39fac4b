"""Faults as data, and how they are shown."""
