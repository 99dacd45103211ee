"""Looking beside training: a program of its own, fed with the checkpoints that training writes anyway."""
