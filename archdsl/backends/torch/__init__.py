"""A graph as a torch.fx GraphModule."""
