"""A repo's own policy may only add to its organisation's."""

from __future__ import annotations

from weighbridge.errors import Refused
from weighbridge.policy.rules import Policy, Severity


def stricter(parent: Policy, child: Policy) -> None:
    """Accepts a child that has every blocking rule of the parent, unchanged; it may have more.

    "Unchanged" rather than "implies": whether one condition implies another cannot be decided, equality can.

    Raises:
        Refused: naming each rule that the child lacks or has changed.
    """
    rules = {rule.id: rule for rule in child.rules}
    missing = tuple(
        f"{rule.id} ({'changed' if rule.id in rules else 'left out'})"
        for rule in parent.rules
        if rule.severity is Severity.BLOCK and rules.get(rule.id) != rule
    )
    if missing:
        raise Refused(
            f"could not accept policy {child.name}: it is weaker than {parent.name}: {', '.join(missing)}",
            missing=missing,
            hint=f"Copy these rules of {parent.name} unchanged, and add yours.",
        )
