"""What every op states about itself, and the words it is stated in."""
