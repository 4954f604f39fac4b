"""A graph as readable Python source."""
