"""The bundled networks and their index."""
