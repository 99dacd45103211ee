"""What may be wrong with a file of a run."""

from repviz.errors import UserError


class DamagedFileError(UserError):
    """A file that should be an artifact cannot be read: truncated, flipped bits, or not ours."""


class NewerFormatError(UserError):
    """The file was written by a later repviz in a format that this one does not know."""
