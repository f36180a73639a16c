"""Weighbridge: the release system for open-weight AI models.

The house is described in ``docs/architecture.md``; every format on disk and on the wire in ``docs/format.md``.
"""

__version__ = "0.1.0"
