"""Weights from files into modules."""
