from __future__ import annotations

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from weighbridge.hub.card import card_tags, front_matter


def test_the_front_matter_is_data() -> None:
    readme = b"---\nlicense: mit\ntags:\n- tiny\npipeline_tag: text-generation\n---\n# Tiny\n---\nnot: this\n---\n"
    assert front_matter(readme) == {"license": "mit", "tags": ["tiny"], "pipeline_tag": "text-generation"}


def test_what_json_lacks_becomes_text() -> None:
    card = front_matter(b"---\nday: 2026-11-24\nnan: .nan\nbig: 99999999999999999999\n1: x\nraw: !!binary aGk=\n---\n")
    assert card == {"day": "2026-11-24", "nan": "nan", "big": "99999999999999999999", "1": "x", "raw": "b'hi'"}
    msgspec.json.decode(msgspec.json.encode(card))


@pytest.mark.parametrize(
    "readme",
    [
        b"",
        b"# no front matter\n",
        b"---\nopen: but never closed\n",
        b"---\n- a list\n---\n",
        b"---\na: [\n---\n",
        b"---\na: &x [1]\nb: *x\n---\n",
        b"---\na: " + b"[" * 30 + b"]" * 30 + b"\n---\n",
        b"---\nx: !!python/name:os.system\n---\n",
        b"---\na: " + b"x" * 70_000 + b"\n---\n",
        b"---\na:\n" + b"- 1\n" * 10_001 + b"---\n",
        b"---\n\xff\xfe: 1\n---\n",
        b"---\nday: 2026-99-99\n---\n",
    ],
)
def test_what_cannot_be_used_is_no_card(readme: bytes) -> None:
    assert front_matter(readme) == {}


def test_windows_line_ends_and_a_byte_order_mark_are_taken() -> None:
    assert front_matter(b"\xef\xbb\xbf---\r\nlicense: mit\r\n---\r\n# x\r\n") == {"license": "mit"}


def test_tags_are_those_of_the_card_and_of_its_fields() -> None:
    card: dict[str, object] = {
        "tags": ["tiny", "tiny", 3],
        "pipeline_tag": "text-generation",
        "library_name": "transformers",
        "license": "mit",
        "language": ["en", "de"],
        "base_model": "a/b",
        "datasets": ["c/d"],
    }
    assert card_tags(card) == [
        "tiny",
        "text-generation",
        "transformers",
        "license:mit",
        "base_model:a/b",
        "dataset:c/d",
        "en",
        "de",
    ]


@given(st.binary(max_size=200))
def test_any_readme_gives_a_card_that_json_can_hold(text: bytes) -> None:
    msgspec.json.encode(front_matter(b"---\n" + text + b"\n---\n"))
