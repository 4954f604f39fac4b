"""What ops are computed from: which elements they read, windows, lines."""
