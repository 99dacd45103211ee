"""Inputs of the benchmark on a GPU."""
