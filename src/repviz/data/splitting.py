"""Training and validation rows out of rows that come unsplit."""

import logging

import numpy as np

from repviz.errors import UserError

log = logging.getLogger("repviz.data")


def stratified_split(
    labels: np.ndarray, classes: tuple[str, ...], val_split: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows so that every class has about the same share in both parts.

    A class with a single row cannot be in both and is trained on; rows with a negative label are in neither.

    Args:
        labels: ``(n,)`` index into ``classes``, negative for none.
        classes: their names.
        val_split: share of the rows that validate, between 0 and 1.
        seed: of the shuffling.

    Returns:
        Positions of the training and of the validation rows, both rising.

    Raises:
        UserError: ``val_split`` leaves either part with fewer rows than there are classes.
    """
    from sklearn.model_selection import train_test_split

    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    single = (labels >= 0) & (counts[labels] == 1)
    rows = np.flatnonzero((labels >= 0) & ~single)
    n_classes = int((counts > 1).sum())
    n_val = int(np.ceil(val_split * len(rows)))
    if min(n_val, len(rows) - n_val) < n_classes:
        raise UserError(
            f"val_split is {val_split}: of {len(rows)} rows {n_val} would validate and {len(rows) - n_val} train; "
            f"each part takes at least one row for each of the {n_classes} classes"
        )
    if single.any():
        log.info("%d classes have a single row, which is trained on and not validated", int(single.sum()))
    train, val = train_test_split(rows, test_size=n_val, stratify=labels[rows], random_state=seed)
    return np.sort(np.concatenate([train, np.flatnonzero(single)])), np.sort(val)
