"""What a peer raises that has no way to do something."""


class CannotError(Exception):
    """The text says why."""
