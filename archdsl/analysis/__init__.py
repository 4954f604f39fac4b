"""What a graph costs, and what it sees."""
