"""What torch allocates and keeps while it computes."""
