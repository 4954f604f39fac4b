"""What everything stands on: texts and places, limits, names."""
