"""The two policies that ship: ``open`` and ``responsible``. Their texts are files beside their cases in ``ready/``."""

from __future__ import annotations

from importlib import resources

from weighbridge.errors import NotFound

READY = ("open", "responsible")


def ready_policy(name: str) -> str:
    """The text of a ready policy.

    Raises:
        NotFound: there is none of this name.
    """
    if name not in READY:
        raise NotFound(f"could not find policy {name!r}", hint=f"The ready ones are {' and '.join(READY)}.")
    return (resources.files("weighbridge.policy") / "ready" / f"{name}.yaml").read_text(encoding="utf-8")
