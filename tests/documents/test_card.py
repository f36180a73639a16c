from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.documents.test_licences import APACHE
from weighbridge.documents import completion
from weighbridge.documents.card import complete_card, parse_card
from weighbridge.documents.folder_facts import read_folder
from weighbridge.errors import UnprocessableFile, UnreadableFile


def _safetensors(path: Path, **tensors: tuple[str, list[int], int]) -> None:
    header: dict[str, Any] = {}
    at = 0
    for name, (dtype, shape, size_bytes) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size_bytes]}
        at += size_bytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny-lm"
    folder.mkdir()
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 2048,
        "vocab_size": 49152, "num_hidden_layers": 3, "hidden_size": 8,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "GPT2Tokenizer", "chat_template": "{}"})
    )
    _safetensors(folder / "model.safetensors", a=("BF16", [4, 2], 16), b=("F32", [3], 12))
    (folder / "LICENSE").write_text(APACHE)
    return folder


def test_a_card_is_begun_from_what_the_files_say(folder: Path) -> None:
    change = complete_card(folder)
    assert change.wrote and change.changed
    assert change.added == {"library_name": "transformers", "license": "apache-2.0", "pipeline_tag": "text-generation"}
    assert change.sources == {"library_name": "config.json", "license": "LICENSE", "pipeline_tag": "config.json"}
    text = (folder / "README.md").read_text()
    assert text == change.text
    card = parse_card(text)
    assert card.metadata == change.added
    assert card.body.startswith("# tiny-lm\n")
    rows = (
        "| Parameters | 11 | `model.safetensors` |",
        "| Number types | BF16 (8), F32 (3) |",
        "| Layers | 3 |",
        "| Context length | 2,048 tokens | `config.json` |",
        "| Chat template | yes | `tokenizer_config.json` |",
        "| Tokenizer | GPT2Tokenizer |",
        "| `LICENSE` | 11,358 |",
    )
    for row in rows:
        assert row in text, row
    assert "README.md`" not in text


def test_what_nobody_said_is_listed_and_not_guessed(folder: Path) -> None:
    change = complete_card(folder)
    assert [words.partition(" (")[0].partition(":")[0] for words in change.missing] == [
        "the languages are not named", "the training data is not named", "intended use", "limitations", "evaluation",
    ]  # fmt: skip
    assert all(f"- {words}" in change.text for words in change.missing)
    assert "language" not in parse_card(change.text).metadata
    assert "## Intended use" not in change.text


def test_run_again_it_changes_nothing(folder: Path) -> None:
    complete_card(folder)
    before = (folder / "README.md").stat()
    again = complete_card(folder)
    assert (again.added, again.wrote, again.changed) == ({}, False, False)
    assert (folder / "README.md").stat().st_mtime_ns == before.st_mtime_ns


def test_dry_run_writes_nothing(folder: Path) -> None:
    change = complete_card(folder, write=False)
    assert change.changed and not change.wrote and not (folder / "README.md").exists()


AUTHORS = """---
# my own words
license:   "mit"   # chosen with care
language:
    - en
tags: [a,
  b]
---

# My model

## Intended uses
Fun.

## Bias, risks
None known.

## Results
42
"""


def test_what_the_author_wrote_stays_letter_for_letter(folder: Path) -> None:
    (folder / "README.md").write_text(AUTHORS)
    change = complete_card(folder)
    assert change.added == {"library_name": "transformers", "pipeline_tag": "text-generation"}
    head, _, tail = change.text.partition("library_name: transformers\npipeline_tag: text-generation\n")
    assert head + tail.partition(completion.BEGIN)[0] == AUTHORS + "\n"
    assert parse_card(change.text).metadata["license"] == "mit"
    assert change.missing == ("the training data is not named (`datasets:`)",)
    assert complete_card(folder).changed is False


@pytest.mark.parametrize(
    "card",
    [
        "# Mine\n",
        "# Mine",
        "---\n---\n# Mine\n",
        "---\n\n---\n# Mine\n",
        "---\nlicense: mit\n\n\n---\n# Mine\n",
        "---\r\nlicense: mit\r\n---\r\n# Mine\r\nwords\r\n",
        "\n\n---\nlicense: mit\n---\n",
        "---\nlicense:\n---\n# Mine\n",
        "---\ntags:\n- a\n---",
    ],
)
def test_cards_of_every_form_are_added_to_once(folder: Path, card: str) -> None:
    (folder / "README.md").write_bytes(card.encode())
    before = parse_card(card).metadata
    change = complete_card(folder)
    after = parse_card((folder / "README.md").read_bytes().decode())
    assert after.metadata == before | change.added and "pipeline_tag" in change.added
    assert all(line in change.text for line in card.splitlines())
    assert ("\r\n" in change.text) == ("\r\n" in card)
    if "\r\n" in card:
        assert "\n" not in change.text.replace("\r\n", "")
    assert complete_card(folder).changed is False


def test_a_key_that_is_there_and_empty_stays_the_authors(folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense:\n---\n# Mine\n")
    change = complete_card(folder)
    assert "license" not in change.added
    assert any(words.startswith("no licence is named") for words in change.missing)


def test_our_block_follows_the_files_and_the_rest_stays(folder: Path) -> None:
    complete_card(folder)
    text = (folder / "README.md").read_text()
    (folder / "README.md").write_text(text + "\nWords after the block.\n")
    (folder / "extra.txt").write_text("1")
    change = complete_card(folder)
    assert "| `extra.txt` | 1 |" in change.text
    assert change.text.endswith("\nWords after the block.\n") and change.text.count("## Files") == 1


def test_a_heading_of_the_authors_is_not_doubled(folder: Path) -> None:
    (folder / "README.md").write_text("# Mine\n\n## Model Details\n\nBig.\n\n```\n# Limitations\n```\n")
    change = complete_card(folder)
    assert "## Model details (from the files)" in change.text
    assert "limitations: no section of the card is about it" in change.missing


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("---\na: 1\na: 2\n---\n", "comes twice"),
        ("---\n{license: mit}\n---\n", "cannot be added to"),
        (f"# Mine\n{completion.BEGIN}\n", "marks of the block"),
        (f"# Mine\n{completion.END}\n{completion.BEGIN}\n", "marks of the block"),
        (f"{completion.BEGIN}\n{completion.END}\n" * 2, "marks of the block"),
    ],
)
def test_a_card_that_a_program_cannot_add_to_is_left_alone(folder: Path, card: str, words: str) -> None:
    (folder / "README.md").write_text(card)
    with pytest.raises(UnprocessableFile, match=words) as caught:
        complete_card(folder)
    assert caught.value.diagnostics()
    assert (folder / "README.md").read_text() == card


def test_a_card_that_is_no_text_a_link_or_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = folder / "README.md"
    readme.write_bytes(b"\xff\xfe")
    with pytest.raises(UnreadableFile, match="not UTF-8"):
        complete_card(folder)
    readme.write_text("x" * (completion.MAX_CARD_BYTES + 1))
    with pytest.raises(UnreadableFile, match="bytes"):
        complete_card(folder)
    readme.unlink()
    (folder.parent / "outside.md").write_text("outside")
    readme.symlink_to(folder.parent / "outside.md")
    with pytest.raises(UnreadableFile, match="a link"):
        complete_card(folder)
    assert (folder.parent / "outside.md").read_text() == "outside"
    with pytest.raises(UnreadableFile):
        complete_card(folder / "none")


def test_the_mode_of_the_card_stays_and_nothing_else_is_left(folder: Path) -> None:
    (folder / "README.md").write_text("# Mine\n")
    (folder / "README.md").chmod(0o600)
    complete_card(folder)
    assert (folder / "README.md").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("files", "metadata"),
    [
        ({}, {}),
        ({"config.json": '{"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"}'},
         {"library_name": "transformers"}),
        ({"config.json": '{"architectures": ["BertForMaskedLM"], "model_type": "bert"}'},
         {"library_name": "transformers", "pipeline_tag": "fill-mask"}),
        ({"model_index.json": "{}"}, {"library_name": "diffusers"}),
        ({"modules.json": "[]", "config.json": '{"architectures": ["BertModel"], "model_type": "bert"}'},
         {"library_name": "sentence-transformers"}),
        ({"adapter_config.json": '{"base_model_name_or_path": "acme/base"}'},
         {"library_name": "peft", "base_model": "acme/base"}),
        ({"adapter_config.json": '{"base_model_name_or_path": "/home/me/base"}'}, {"library_name": "peft"}),
        ({"adapter_config.json": '{"base_model_name_or_path": "./base"}'}, {"library_name": "peft"}),
        ({"config.json": "{"}, {}),
        ({"config.json": "[]"}, {}),
        ({"config.json": '{"architectures": "x", "model_type": 3, "vocab_size": -1}'}, {}),
        ({"LICENSE": "All rights reserved."}, {}),
    ],
)  # fmt: skip
def test_only_what_files_clearly_say_is_metadata(
    tmp_path: Path, files: dict[str, str], metadata: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert read_folder(tmp_path).metadata == metadata


def test_a_licence_that_is_not_recognised_is_said_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "LICENSE.md").write_text("All rights reserved.")
    missing = complete_card(tmp_path).missing
    assert "LICENSE.md is not one that is recognised" in missing[0]


def test_a_broken_weights_file_says_nothing_rather_than_something_wrong(folder: Path) -> None:
    (folder / "model-2.safetensors").write_bytes(b"\xff" * 100)
    assert not [row for row in read_folder(folder).details if row[0] == "Parameters"]


def test_hostile_names_and_values_do_not_become_markup(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"architectures": ["<script>|x`"], "model_type": "a\nb"}))
    (folder / "a|`<b>.txt").write_text("")
    text = complete_card(folder).text
    assert "<script>" not in text and "<b>" not in text
    assert "| `a???b?.txt` | 0 |" in text


def test_many_files_are_summed_up(tmp_path: Path) -> None:
    for number in range(completion.MAX_LISTED_FILES + 7):
        (tmp_path / f"{number:03}.bin").write_bytes(b"12")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x").write_text("")
    assert "| 7 more | 14 |" in complete_card(tmp_path).text
