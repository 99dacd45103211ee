"""Other people's packages, doing the same work."""
