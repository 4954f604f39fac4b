"""What a Graph becomes: torch modules, Python source, artifacts. Imports torch, as ``weights`` does."""
