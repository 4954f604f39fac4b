"""A module of ops without the list that names them."""
