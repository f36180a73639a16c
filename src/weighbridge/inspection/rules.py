"""The rules, as data: what each is called, how severe it is, what to do. Their conditions are in the modules that read.

``rules_sha256`` names this table and the allow-list of pickle globals; statements carry it, so that who reads one knows
by which rules it was made.
"""

from __future__ import annotations

import hashlib

import msgspec
import rfc8785

from weighbridge.checkpoint.pickle_globals import ALLOWED
from weighbridge.inspection.finding import Severity

RULES_VERSION = 1  # raise it when a condition in code changes without its line here

_SAFETENSORS = "https://github.com/huggingface/safetensors#format"
_GGUF = "https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"
_PICKLE = "https://docs.python.org/3/library/pickle.html#module-pickle"
_TORCH = "https://docs.pytorch.org/docs/stable/notes/serialization.html#weights-only"
_REMOTE = "https://huggingface.co/docs/transformers/models#custom-models"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: its line in every list, and what to do when it fires."""

    id: str
    severity: Severity
    title: str
    remedy: str
    reference: str = ""


_EXPORT = "Export the file again, or copy it again from where it was whole."
_CONVERT = "Save the weights as safetensors and leave this file out."

RULES = (
    Rule(
        id="unreadable-file",
        severity=Severity.BLOCK,
        title="A file cannot be read",
        remedy="Make it a regular file of the size that was announced, within the bounds that the reason names.",
    ),
    Rule(
        id="unsafe-path",
        severity=Severity.BLOCK,
        title="A path that may leave the folder",
        remedy="Rename the file: relative, forward slashes, no part that is '..'.",
    ),
    Rule(
        id="unknown-format",
        severity=Severity.BLOCK,
        title="A binary file of no known kind",
        remedy="Leave it out. What cannot be read cannot be vouched for.",
    ),
    Rule(
        id="unread-format",
        severity=Severity.BLOCK,
        title="A file of a kind that is not read yet",
        remedy="Leave it out, or bring its content in a kind that is read: safetensors, GGUF, JSON, text.",
    ),
    Rule(
        id="archive",
        severity=Severity.BLOCK,
        title="An archive",
        remedy="Unpack it and release its files, each of which is inspected then.",
    ),
    Rule(
        id="executable",
        severity=Severity.BLOCK,
        title="A program",
        remedy="Leave it out: a model's folder holds no machine code.",
    ),
    Rule(
        id="name-mismatch",
        severity=Severity.BLOCK,
        title="The content is not what the name says",
        remedy="Give the file the name of its kind, or put the right content in. Loaders choose by name.",
    ),
    Rule(
        id="safetensors-structure",
        severity=Severity.BLOCK,
        title="A safetensors file whose structure does not hold",
        remedy=_EXPORT,
        reference=_SAFETENSORS,
    ),
    Rule(
        id="weights-index",
        severity=Severity.BLOCK,
        title="An index that does not match the weight files",
        remedy="Save the model again with all its shards, and release the folder as it was written.",
        reference="https://huggingface.co/docs/transformers/big_models#sharded-checkpoints",
    ),
    Rule(
        id="gguf-structure",
        severity=Severity.BLOCK,
        title="A GGUF file whose structure does not hold",
        remedy=_EXPORT,
        reference=_GGUF,
    ),
    Rule(
        id="torch-structure",
        severity=Severity.BLOCK,
        title="A torch archive whose structure does not hold",
        remedy=_CONVERT,
        reference=_TORCH,
    ),
    Rule(
        id="pickle-structure",
        severity=Severity.BLOCK,
        title="A pickle that is broken or made to confuse its readers",
        remedy=_CONVERT,
        reference=_PICKLE,
    ),
    Rule(
        id="pickle-code",
        severity=Severity.BLOCK,
        title="A pickle that does more than hold weights",
        remedy=_CONVERT,
        reference=_PICKLE,
    ),
    Rule(
        id="json-structure",
        severity=Severity.BLOCK,
        title="A JSON file that is not valid JSON",
        remedy="Write it again with a JSON library.",
        reference="https://www.rfc-editor.org/rfc/rfc8259",
    ),
    Rule(
        id="sentencepiece-structure",
        severity=Severity.BLOCK,
        title="A tokenizer model that is not one of SentencePiece",
        remedy=_EXPORT,
    ),
    Rule(
        id="image-structure",
        severity=Severity.BLOCK,
        title="An image that is cut off, or more than an image",
        remedy="Save the image again with an image program.",
    ),
    Rule(
        id="remote-code-elsewhere",
        severity=Severity.BLOCK,
        title="Code from another repo would run when the model is loaded",
        remedy="Copy that code into this folder, or better: use an architecture that transformers has.",
        reference=_REMOTE,
    ),
    Rule(
        id="chat-template-escape",
        severity=Severity.BLOCK,
        title="The chat template reaches into Python",
        remedy="Remove the attribute from the template; a chat template needs none of this kind.",
        reference="https://nvd.nist.gov/vuln/detail/CVE-2024-34359",
    ),
    Rule(
        id="pickle",
        severity=Severity.WARN,
        title="Weights in a pickle",
        remedy="Prefer safetensors: it can hold nothing but tensors.",
        reference=_TORCH,
    ),
    Rule(
        id="remote-code",
        severity=Severity.WARN,
        title="The model brings its own code",
        remedy="Use an architecture that transformers has, so that nobody needs trust_remote_code.",
        reference=_REMOTE,
    ),
    Rule(
        id="code-file",
        severity=Severity.WARN,
        title="A file with code",
        remedy="Leave it out unless the model needs it; who downloads may run it.",
    ),
    Rule(
        id="weights-index-gap",
        severity=Severity.WARN,
        title="Tensors that the index does not name",
        remedy="Save the model again, so that the index names every tensor of its shards.",
        reference="https://huggingface.co/docs/transformers/big_models#sharded-checkpoints",
    ),
    Rule(
        id="no-weights",
        severity=Severity.NOTE,
        title="No weights were found",
        remedy="Check that the folder is the right one.",
    ),
)
RULE_BY_ID = {rule.id: rule for rule in RULES}


def rules_sha256() -> str:
    """The digest of the rule set: this table, its version, the allow-list of pickle globals."""
    allowed = sorted(f"{module}.{name} {use.makes.value} {int(use.state)}" for (module, name), use in ALLOWED.items())
    table = {"version": RULES_VERSION, "rules": msgspec.to_builtins(RULES), "pickle_globals": allowed}
    return hashlib.sha256(rfc8785.dumps(table)).hexdigest()
