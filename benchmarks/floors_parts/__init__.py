"""What the machine can do at most, and the least work that each part of repviz has to do."""
