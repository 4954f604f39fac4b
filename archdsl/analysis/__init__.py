"""What a graph costs, and tables of it."""
