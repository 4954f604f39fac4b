"""The interpreter of bodies: expressions to values, layers to nodes."""
