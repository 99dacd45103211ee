"""The contestants of training: all learn the same network from the same rows and report the same numbers."""
