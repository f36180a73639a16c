"""``weighbridge reject``: the other word that a reviewer can say; lives with ``approve``."""

from weighbridge.cli.approve import reject

__all__ = ["reject"]
