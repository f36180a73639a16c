"""The one error of the demo: something ended otherwise than it should have."""

from __future__ import annotations

from weighbridge.errors import WeighbridgeError


class DemoFailed(WeighbridgeError):
    """A step of the demo did not end as expected (exit code 1)."""

    default_hint = "This is a fault of Weighbridge or of this installation: `weighbridge doctor` may say which."
