"""The contestants of the landscape: the same losses on the same plane."""
