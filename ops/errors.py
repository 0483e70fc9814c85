"""The one error that the command line prints as a paragraph instead of a traceback."""


class OpsError(Exception):
    """Something the user can act on: what failed, why, and what to do, in one clear paragraph."""
