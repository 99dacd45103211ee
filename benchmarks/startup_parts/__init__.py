"""What the benchmark of starting gives to the programs that it starts."""
