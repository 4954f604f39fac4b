"""Functions of a graph: what may be overwritten, what may be rewritten."""
