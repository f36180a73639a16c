from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.documents.card import card_facts, parse_card
from weighbridge.documents.front_matter import MAX_DEPTH, MAX_FRONT_MATTER_BYTES, find_front_matter, read_metadata
from weighbridge.errors import InvalidInput


def test_a_card_has_metadata_and_a_body() -> None:
    card = parse_card("---\nlicense: mit\ntags:\n- a\n- b\n---\n# Tiny\n")
    assert (card.metadata, card.body) == ({"license": "mit", "tags": ["a", "b"]}, "# Tiny\n")


@pytest.mark.parametrize("text", ["", "# Tiny\n", "x\n---\na: 1\n---\n", "--- a\nb: 1\n---\n", "---\na: 1\n"])
def test_a_text_without_a_block_is_all_body(text: str) -> None:
    assert parse_card(text).metadata == {} and parse_card(text).body == text


@pytest.mark.parametrize(
    "text", ["---\n---\n# x\n", "---\r\n---\r\n# x\n", "\n---\n\n---\n# x\n", "---\n# only words\n---\n# x\n"]
)
def test_an_empty_block_says_nothing(text: str) -> None:
    assert parse_card(text).metadata == {} and parse_card(text).body == "# x\n"


def test_plain_words_mean_what_they_mean_on_the_hub() -> None:
    text = "language: no\nat: 1:30\non: 2024-01-01\nyes: y\nn: 012\ni: 12\nf: 1.5\nb: true\nnothing:\ntilde: ~\n"
    assert read_metadata(text) == {
        "language": "no", "at": "1:30", "on": "2024-01-01", "yes": "y", "n": "012", "i": 12, "f": 1.5, "b": True,
        "nothing": None, "tilde": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x\n",
        "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "- a\n- b\n",
        "just words\n",
        "a: 1\na: 2\n",
        "a: {b: 1, b: 2}\n",
        "1: a\n",
        "? [a]\n: b\n",
        "a: !!python/object/apply:os.system ['true']\n",
        "a: !!binary aGVsbG8=\n",
        "a: !!set {b, c}\n",
        "a: !custom b\n",
        "a: !!int x\n",
        "a: !!float .nan\n",
        "a: 9007199254740993\n",
        "a: [\n",
        "a: 'x\n",
        "\ta: 1\n",
        "a: 1\n---\nb: 2\n",
        "a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "[" * 60_000,
        "a: " + "{a: " * 10_000,
        "a: " + "x" * MAX_FRONT_MATTER_BYTES,
        "a: \x00",
        "a: \ud800",
    ],
)
def test_what_is_not_plain_bounded_yaml_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="could not read the card"):
        read_metadata(text)


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85\ufeff\ufffe\uffff"), max_size=20
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(words, values, max_size=5))
def test_what_a_yaml_writer_writes_is_read_back(metadata: dict[str, Any]) -> None:
    text = yaml.safe_dump(metadata, allow_unicode=True, sort_keys=False)
    try:
        block = find_front_matter(f"---\n{text}---\n# x\n")
    except InvalidInput as error:
        assert "nested deeper" in error.message or "not plain YAML" in error.message
        return
    assert block is not None and block.metadata == metadata


@given(st.text())
def test_any_text_gives_json_or_a_refusal(text: str) -> None:
    for card in (text, f"---\n{text}\n---\n"):
        try:
            json.dumps(parse_card(card).metadata, allow_nan=False)
        except InvalidInput:
            assert card_facts(card)["present"] is False or not card.strip()


def test_a_policy_sees_the_card_and_never_less_than_the_keys_it_asks_for() -> None:
    facts = card_facts("---\nlicense: apache-2.0\nlanguage: [en]\npresent: 7\n---\n")
    assert facts == {
        "present": True, "license": "apache-2.0", "pipeline_tag": "", "library_name": "", "language": ["en"],
    }  # fmt: skip
    nothing = {"present": False, "license": "", "pipeline_tag": "", "library_name": ""}
    assert card_facts(None) == card_facts("") == card_facts(" \n") == nothing
    assert card_facts("# Tiny\n") == {**nothing, "present": True}
    assert card_facts("---\nlicense: [mit, apache-2.0]\n---\n")["license"] == "mit, apache-2.0"
    assert card_facts("---\nlicense: {a: b}\n---\n")["license"] == ""


def test_a_card_that_cannot_be_read_is_not_there_and_says_why() -> None:
    facts = card_facts("---\nlicense: mit\nlicense: apache-2.0\n---\n")
    assert facts["present"] is False and facts["license"] == "" and "comes twice" in facts["problem"]
