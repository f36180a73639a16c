"""Audiences: the positions of a release's two dials, from nobody to everybody.

Audience("partners").rank < Audience.PUBLIC.rank
"""

from __future__ import annotations

from enum import StrEnum


class Audience(StrEnum):
    """``none < internal < partners < gated < public``."""

    NONE = "none"
    INTERNAL = "internal"
    PARTNERS = "partners"
    GATED = "gated"
    PUBLIC = "public"

    @property
    def rank(self) -> int:
        """0 (none) to 4 (public)."""
        return _RANK[self]


_RANK = {audience: rank for rank, audience in enumerate(Audience)}
