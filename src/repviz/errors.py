"""Errors that are the user's to mend: shown as one message, without a traceback, with exit code 2."""


class UserError(ValueError):
    """Something in the user's data, settings or folders is not as it must be.

    The message says what was found, what is accepted and what to do.
    """


class DataError(UserError):
    """A data file does not hold what it must; the message names the file and the key."""
