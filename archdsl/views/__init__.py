"""What a network costs, as people read it."""
