"""Licences by the names that model cards use, and by their SPDX ids.

    spdx_id("apache-2.0")                           # "Apache-2.0"
    recognise_licence(text)                         # "apache-2.0", only if the text is that licence and nothing else

Source: the licence ids of the Hugging Face Hub's model cards; the SPDX licence list. Those that are no SPDX licence
(llama, gemma, openrail…) are named as the card names them.
"""

from __future__ import annotations

import hashlib
import re

_SPDX = (
    "AFL-3.0", "AGPL-3.0-only", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear",
    "BSL-1.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0",
    "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0",
    "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0",
    "ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.1", "EUPL-1.2", "GFDL-1.3-or-later", "ISC", "LPPL-1.3c", "MIT", "MPL-2.0",
    "MS-PL", "MulanPSL-2.0", "NCSA", "ODbL-1.0", "ODC-By-1.0", "OFL-1.1", "OSL-3.0", "PDDL-1.0", "PostgreSQL",
    "Unlicense", "WTFPL", "Zlib",
)  # fmt: skip
_BY_CARD = {identifier.lower(): identifier for identifier in _SPDX} | {
    "agpl-3.0": "AGPL-3.0-only",
    "gpl-2.0": "GPL-2.0-only",
    "gpl-3.0": "GPL-3.0-only",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-3.0": "LGPL-3.0-only",
    "gfdl": "GFDL-1.3-or-later",
    "lppl-1.3c": "LPPL-1.3c",
    "odc-by": "ODC-By-1.0",
    "odbl": "ODbL-1.0",
    "pddl": "PDDL-1.0",
    "mulan-psl-2.0": "MulanPSL-2.0",
}
KNOWN_SPDX = frozenset(_BY_CARD.values())
MAX_LICENCE_BYTES = 64 << 10

# sha256 of the words between the two lines, in lower case with single spaces: the text of apache.org, whatever its
# indentation, and whatever appendix follows.
_APACHE_BODY = re.compile(
    r"terms and conditions for use, reproduction, and distribution(.*)end of terms and conditions"
)
_APACHE_SHA256 = "00edc4c0bd467b631b673f3192b93ce67248b60c10748dba6deba64de5d357fa"
# sha256 of the permission, conditions and disclaimer of the MIT licence, in lower case with single spaces.
_MIT_BODY = re.compile(r"(?P<head>.{0,300}?)(?P<body>permission is hereby granted, free of charge.*)")
_MIT_SHA256 = "56959050891f7b737ac4e803051170c7197f02df73d80bd9a78d968e305bf558"
_MIT_HEAD = re.compile(r"((the )?mit license( \(mit\))? )?(copyright (\(c\)|©)?[^:;]{1,120}? )*")
_TERMS = re.compile(r"\b(not|no|only|must|shall|may|use|used|commercial\w*|except|unless|without|terms?|subject)\b")


def spdx_id(name: str) -> str | None:
    """The SPDX id of a licence as model cards write it; None when it is not on the SPDX list."""
    return _BY_CARD.get(name.strip().lower())


def recognise_licence(text: str) -> str | None:
    """The card's id of the licence that this text is, word for word; None on any doubt."""
    if len(text) > MAX_LICENCE_BYTES:
        return None
    words = " ".join(text.replace("“", '"').replace("”", '"').split()).lower()
    if _is_mit(words):
        return "mit"
    body = _APACHE_BODY.search(words)
    if body and words.startswith("apache license version 2.0, january 2004"):
        return "apache-2.0" if hashlib.sha256(body[1].encode()).hexdigest() == _APACHE_SHA256 else None
    return None


def _is_mit(words: str) -> bool:
    """The whole text, with nothing before it but a title and who holds the copyright."""
    parts = _MIT_BODY.fullmatch(words)
    if parts is None or hashlib.sha256(parts["body"].encode()).hexdigest() != _MIT_SHA256:
        return False
    return _MIT_HEAD.fullmatch(parts["head"]) is not None and _TERMS.search(parts["head"]) is None
