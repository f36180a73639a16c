"""Chat templates: Jinja that the loader's process runs on every conversation."""

from __future__ import annotations

import re

from weighbridge.checkpoint.jsonfile import clip
from weighbridge.inspection.survey import Survey

MAX_TEMPLATE_BYTES = 4 << 20

# Every known escape from Jinja begins with an attribute between double underscores, or the filter that looks one up by
# name. A template can also put such a name together from pieces: the reader of its syntax tree that finds those is not
# here yet.
_ESCAPE = re.compile(r"__[A-Za-z]\w*__|\|\s*attr\s*\(|\\x5f\\x5f|\\u005f", re.IGNORECASE)


def check_template(text: str, path: str, survey: Survey) -> None:
    """Notes that there is a chat template, and finds what reaches into Python."""
    survey.about["chat_template"] = True
    found = _ESCAPE.search(text)
    if found is not None:
        survey.find("chat-template-escape", path, f"it holds {clip(found.group())}")
