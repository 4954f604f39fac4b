"""Costs as formulas in the numbers that a spec leaves open."""
