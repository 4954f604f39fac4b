"""What a Graph becomes: torch modules, Python source, artifacts. The only rooms that import torch."""
