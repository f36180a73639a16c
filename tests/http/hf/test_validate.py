from __future__ import annotations

import pytest

from weighbridge.http.hf.validate import MAX_FRONT_MATTER_CHARS, check_card


def check(front_matter: str, repo_type: str = "model"):
    return check_card(f"---\n{front_matter}\n---\n# Title\n", repo_type=repo_type)


def test_a_good_card_has_neither_errors_nor_warnings() -> None:
    remarks = check(
        "license: apache-2.0\nlanguage: [en, de]\ntags: [a]\npipeline_tag: text-generation\nbase_model: a/b\n"
        "model-index:\n- name: x\n  results:\n  - task: {type: t}\n    dataset: {type: d, name: n}\n"
        "    metrics:\n    - {type: accuracy, value: 0.5}\n"
    )
    assert (remarks.errors, remarks.warnings) == ([], [])


@pytest.mark.parametrize(
    ("front_matter", "words"),
    [
        ("license: made-up", '"license"'),
        ("license: 3", '"license"'),
        ("license: mit\nlanguage: no", 'write "no" in quotes'),
        ("license: mit\nlanguage: English", "ISO 639"),
        ("license: mit\ntags: one", '"tags" must be an array'),
        ("license: mit\npipeline_tag: [a]", '"pipeline_tag"'),
        ("license: mit\nbase_model: 'a/b/c'", '"base_model"'),
        ("license: mit\nbase_model_relation: cousin", '"base_model_relation"'),
        ("license: mit\nmodel-index: 3", '"model-index"'),
        ("license: mit\nmodel-index: [{name: x, results: [{}]}]", '"model-index[0].results[0].task.type"'),
        ("license: mit\nextra_gated_fields: x", '"extra_gated_fields"'),
        ("license: [mit", "not YAML"),
        ("license: mit\nlicense: mit", 'The key "license" comes twice (line 3)'),
        ("- a\n- b", "not a mapping"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: " + "[" * 40 + "]" * 40, "levels"),
        ("a: " + "[" * 5000, "metadata block"),
        ("a: !!python/object/apply:os.system [x]", "not YAML"),
        ("a: [" + "1," * 20_000 + "]", "values"),
        ("a: " + "x" * MAX_FRONT_MATTER_CHARS, "characters"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_wrong_is_said(front_matter: str, words: str) -> None:
    remarks = check(front_matter)
    assert any(words in error for error in remarks.errors), remarks


@pytest.mark.parametrize(
    ("front_matter", "words"),
    [
        ("tags: [a]", '"license" is missing'),
        ("license: other", '"license_name" is missing'),
        ("license: mit\npipeline_tag: cooking", '"pipeline_tag"'),
        ("", "empty"),
    ],
)
def test_what_is_odd_is_a_warning_and_no_error(front_matter: str, words: str) -> None:
    remarks = check(front_matter)
    assert remarks.errors == []
    assert any(words in warning for warning in remarks.warnings), remarks


def test_no_metadata_is_a_warning_and_an_unclosed_block_an_error() -> None:
    assert check_card("# Title\n", repo_type="model").warnings
    assert not check_card("# Title\n", repo_type="model").errors
    assert check_card("---\nlicense: mit\n# Title\n", repo_type="model").errors
