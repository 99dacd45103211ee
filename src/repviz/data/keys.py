"""What the .npz form calls the arrays of each split."""

from collections.abc import Mapping

Names = Mapping[tuple[str, str], str]
"""``(split, field)`` to the user's name for that array; ``("", field)`` where it belongs to no split."""

FIELDS = ("embeddings", "labels", "tabular", "ids", "texts")
"""The arrays that a split can have."""

NPZ_KEYS: Names = {
    ("train", "embeddings"): "X_train_embed",
    ("train", "labels"): "y_train",
    ("train", "tabular"): "financial_train",
    ("train", "ids"): "id_train",
    ("train", "texts"): "text_train",
    ("val", "embeddings"): "X_val_embed",
    ("val", "labels"): "y_val",
    ("val", "tabular"): "financial_val",
    ("val", "ids"): "id_val",
    ("val", "texts"): "text_val",
    ("excluded", "embeddings"): "X_excl",
    ("excluded", "labels"): "y_excl",
    ("excluded", "tabular"): "financial_excl",
    ("excluded", "ids"): "id_excl",
    ("excluded", "texts"): "text_excl",
    ("test", "embeddings"): "X_test_embed",
    ("test", "labels"): "y_test",
    ("test", "tabular"): "financial_test",
    ("test", "ids"): "id_test",
    ("test", "texts"): "text_test",
    ("predict", "embeddings"): "X_embed",
    ("predict", "tabular"): "financial",
    ("predict", "ids"): "id",
    ("predict", "texts"): "text",
    ("", "classes"): "classes",
    ("", "tabular_names"): "financial_names",
}
"""The keys of the .npz form."""


def name_of(names: Names, split: str, field: str) -> str:
    """What the user's file calls the array."""
    return names.get((split, field)) or f"{field.replace('_', ' ')} of {split}".removesuffix(" of ")


def default_tabular_names(n_tabular: int) -> tuple[str, ...]:
    """Names of tabular columns that the data does not name."""
    return tuple(f"tabular_{column}" for column in range(n_tabular))
