"""Passes, functions from a graph to another and what became of its weights; and what is found out of a graph alone."""
