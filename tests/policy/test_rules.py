"""What a policy's text may hold, and what is refused."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.made import policy_text
from weighbridge.errors import InvalidInput, Refused
from weighbridge.policy import Dial, Severity, load_policy, ready_policy, stricter
from weighbridge.policy.condition import read_condition


def test_defaults_and_digest():
    text = policy_text({"applies_to": {"dial": "weights"}})
    policy = load_policy(text)
    rule = policy.rules[0]
    assert rule.severity is Severity.BLOCK
    assert rule.applies_to is not None
    assert (rule.applies_to.dial, len(rule.applies_to.to)) == (Dial.WEIGHTS, 5)
    assert policy.sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expected `object`"),
        ("[]", "Expected `object`"),
        ("name: [", "while parsing"),
        ("name: x\nname: y", "name occurs twice"),
        ("a: &a [1]\nb: *a", "aliases are not allowed"),
        ("? [1]\n: 2", "a key is not text"),
        ("name: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("[" * 20_000, "nested too deeply"),
        ("name: 2001-99-99", "month must be"),
        (policy_text(), "length >= 1"),
        (policy_text({}, surprise=1), "unknown field `surprise`"),
        (policy_text({"surprise": 1}), "unknown field `surprise`"),
        (policy_text({"severity": "fatal"}), "Invalid enum value 'fatal'"),
        (policy_text({"id": "Not An Id"}), "matching regex"),
        (policy_text({"require": ""}), "length >= 1"),
        (policy_text({"require": True}), "Expected `str`"),
        (policy_text({"applies_to": {"to": ["everyone"]}}), "Invalid enum value 'everyone'"),
        (policy_text({"applies_to": {"to": []}}), "length >= 1"),
        (policy_text({"applies_to": {"dial": "volume"}}), "Invalid enum value 'volume'"),
        (policy_text({}, {}), "rule rule occurs twice"),
        (policy_text({"require": "1 == " + "1" * 2_000}), "at most 2000"),
        (policy_text({"require": "(" * 17 + "true" + ")" * 17}), "nested more than 16"),
        (policy_text({"when": "(" * 17 + "true" + ")" * 17}), "nested more than 16"),
        (policy_text({"require": "[1].map(a, 1).map(b, 1).map(c, 1).map(d, 1).map(e, 1) == [1]"}), "at most 4"),
        (policy_text({"require": "true; false"}), "no CEL"),
        (policy_text({"why": "x" * 70_000}), "at most 65536"),
        (policy_text(*({"id": f"r{number}"} for number in range(101))), "length <= 100"),
    ],
)
def test_refuses(text: str, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        load_policy(text)


@given(st.text(max_size=300))
def test_no_text_does_anything_but_load_or_be_refused(text: str):
    try:
        load_policy(text)
    except InvalidInput as error:
        assert error.message.startswith("could not read the policy")


@given(st.text(alphabet="ab.[]()\"'!&|=<> \\x", max_size=60))
def test_reading_a_condition_ends(text: str):
    with contextlib.suppress(InvalidInput):
        read_condition(text)


def test_brackets_inside_text_are_no_nesting():
    load_policy(policy_text({"require": '"' + "(" * 100 + '" != ""'}))


@pytest.mark.parametrize(
    ("condition", "paths"),
    [
        ("a.b == c.d", ("a.b", "c.d")),
        ('"a.b" == x', ("x",)),
        ("a.b.size() > 0", ("a.b",)),
        ("size(a.b) > 0", ("a.b",)),
        ("a.all(x, x.y == b)", ("a", "b")),
        ('a["b"].c', ("a.b.c",)),
        ("a[0].b", ("a",)),
        ("true && !false // a.b", ()),
        ("x in [a.b]", ("x", "a.b")),
    ],
)
def test_paths_of_a_condition(condition: str, paths: tuple[str, ...]):
    assert read_condition(condition).paths == paths


def test_stricter_accepts_more_rules_and_changed_warnings():
    parent = load_policy(policy_text({"id": "a"}, {"id": "w", "severity": "warn"}))
    child = load_policy(policy_text({"id": "a"}, {"id": "b"}, name="child"))
    stricter(parent, child)
    stricter(parent, parent)


@pytest.mark.parametrize(
    ("rule", "missing"),
    [
        ({"id": "b"}, "a (left out)"),
        ({"id": "a", "require": "false || true"}, "a (changed)"),
        ({"id": "a", "severity": "warn"}, "a (changed)"),
        ({"id": "a", "when": "false"}, "a (changed)"),
        ({"id": "a", "applies_to": {"dial": "inference"}}, "a (changed)"),
    ],
)
def test_stricter_refuses(rule: dict[str, object], missing: str):
    parent = load_policy(policy_text({"id": "a"}))
    with pytest.raises(Refused) as refused:
        stricter(parent, load_policy(policy_text(rule, name="child")))
    assert refused.value.missing == (missing,)


def test_open_is_not_stricter_than_responsible():
    with pytest.raises(Refused):
        stricter(load_policy(ready_policy("responsible")), load_policy(ready_policy("open")))
