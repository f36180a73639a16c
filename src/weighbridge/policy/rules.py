"""What a policy is: rules as a person writes them in YAML, read strictly.

    policy = load_policy(ready_policy("responsible"))
    policy.rules[0].require  # 'inspection.result != "FAILED"'

A policy is code that decides over others, so nothing in it is lenient: an unknown field, a repeated key, an alias, a
condition past its bounds is refused when it is read.
"""

# PyYAML's stubs leave a loader's methods untyped:
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import msgspec
import yaml

from weighbridge.errors import InvalidInput
from weighbridge.policy.condition import check_bounds
from weighbridge.yaml_text import PlainLoader

MAX_POLICY_BYTES = 64 << 10
MAX_RULES = 100

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=4_000)]


class Audience(StrEnum):
    """Who may use a dial's subject; from the narrowest to the widest."""

    NONE = "none"
    INTERNAL = "internal"
    PARTNERS = "partners"
    GATED = "gated"
    PUBLIC = "public"


class Dial(StrEnum):
    """What is opened: the weights (download), the inference (use of the hosted model), or either of them."""

    WEIGHTS = "weights"
    INFERENCE = "inference"
    ANY = "any"


class Severity(StrEnum):
    """Whether a rule that is not met stops the transition or is only told."""

    BLOCK = "block"
    WARN = "warn"


class AppliesTo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which transitions a rule looks at: those that turn this dial wider, to one of these audiences."""

    dial: Dial = Dial.ANY
    to: Annotated[tuple[Audience, ...], msgspec.Meta(min_length=1)] = tuple(Audience)


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule. ``when`` and ``require`` are CEL; without ``applies_to`` it looks at every transition."""

    id: Id
    title: Line
    why: Words
    require: Words
    remedy: Words
    severity: Severity = Severity.BLOCK
    when: Words | None = None
    applies_to: AppliesTo | None = None
    approvers: tuple[Line, ...] = ()
    cites: tuple[Line, ...] = ()


class _PolicyText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Id
    title: Line
    why: Words
    rules: Annotated[tuple[Rule, ...], msgspec.Meta(min_length=1, max_length=MAX_RULES)]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Rules in the order of their text. ``sha256`` is that of the exact text, which decisions name."""

    name: str
    title: str
    why: str
    rules: tuple[Rule, ...]
    text: str
    sha256: str


def load_policy(text: str) -> Policy:
    """The policy that this YAML text states. Its conditions are bounded here, and compiled by ``check_policy``.

    Raises:
        InvalidInput: it is too large, not YAML, has an unknown or repeated field, or a condition out of bounds.
    """
    data = text.encode()
    if len(data) > MAX_POLICY_BYTES:
        _refuse(f"it is {len(data)} bytes, at most {MAX_POLICY_BYTES} are allowed")
    try:
        parsed = msgspec.convert(_parse_yaml(text), _PolicyText)
    except msgspec.ValidationError as error:
        _refuse(str(error))
    _check_rules(parsed.rules)
    return Policy(
        name=parsed.name,
        title=parsed.title,
        why=parsed.why,
        rules=parsed.rules,
        text=text,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _check_rules(rules: tuple[Rule, ...]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            _refuse(f"rule {rule.id} occurs twice")
        seen.add(rule.id)
        for condition in filter(None, (rule.when, rule.require)):
            try:
                check_bounds(condition)
            except InvalidInput as error:
                _refuse(f"rule {rule.id}: {error.message}")


def _parse_yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader, made stricter
    except yaml.YAMLError as error:
        _refuse(" ".join(str(error).split()))
    except RecursionError:
        _refuse("it is nested too deeply")
    except ValueError as error:  # a number or a date that YAML's own constructors cannot hold
        _refuse(str(error))


def _refuse(cause: str) -> NoReturn:
    raise InvalidInput(
        f"could not read the policy: {cause}", hint="docs/policies.md says what a policy may hold."
    ) from None


class _StrictLoader(PlainLoader):
    """No aliases (they multiply), no repeated keys (the last one would win without a word)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.YAMLError("a key is not text")
            if key_node.value in keys:
                raise yaml.YAMLError(f"{key_node.value} occurs twice")
            keys.add(key_node.value)
        return super().construct_mapping(node, deep)
