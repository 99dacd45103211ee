"""The lines that carry most, by what they are for."""

from tests.mutations import computing, storing, strangers, training

MUTATIONS = (*storing.MUTATIONS, *strangers.MUTATIONS, *training.MUTATIONS, *computing.MUTATIONS)
