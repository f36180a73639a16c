"""What ``--policy`` names: a ready policy by its name, or a file whose text is one.

policy_text("responsible")      # "responsible"
policy_text("./our-lab.yaml")   # the file's text
"""

from __future__ import annotations

import os
from pathlib import Path

from weighbridge.errors import InvalidInput

MAX_POLICY_BYTES = 64 << 10


def policy_text(policy: str | None) -> str | None:
    """A policy's name, or the text of the file that is named; None when nothing is.

    Raises:
        InvalidInput: the file is too large, or not UTF-8.
    """
    if policy is None or not (policy.endswith((".yaml", ".yml")) or os.sep in policy):
        return policy
    content = Path(policy).read_bytes()
    if len(content) > MAX_POLICY_BYTES:
        raise InvalidInput(f"could not use {policy}: it is over {MAX_POLICY_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"could not use {policy}: it is not UTF-8") from error


async def usable_policy(policy: str | None) -> str | None:
    """As ``policy_text``, and known to be a policy: a namespace must not have one that no release can be decided by.

    Raises:
        InvalidInput: there is no such ready policy; the text is none.
    """
    from weighbridge.policy import READY, check_policy, load_policy

    text = policy_text(policy)
    if text is None or text in READY:
        return text
    if text == policy:
        raise InvalidInput(
            f"could not use policy {policy!r}: no such policy", hint=f"One of {', '.join(READY)}, or a policy's file."
        )
    await check_policy(load_policy(text))
    return text
