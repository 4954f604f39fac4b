"""What messages know: habits, names that are missing, refusals."""
