"""A network with numbers left open: which value meets a budget."""
