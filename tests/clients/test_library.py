"""``huggingface_hub`` as a library."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import HfFileSystem, ModelCard, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.clients.conftest import BIG, Library


def test_whoami(library: Library) -> None:
    me = library.api("libby").whoami()
    assert (me["type"], me["name"], me["orgs"]) == ("user", "libby", [])
    assert me["auth"]["accessToken"]["role"] == "write"
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        library.api("libby").whoami(token="hf_wrong")


def test_a_wrong_token_is_not_taken_for_a_missing_repo(library: Library) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        library.api().model_info("libby/open", token="hf_wrong")
    assert not isinstance(caught.value, RepositoryNotFoundError)
    assert caught.value.response.status_code == 401


def test_model_info(library: Library) -> None:
    info = library.api().model_info("Libby/OPEN", files_metadata=True)
    assert (info.id, info.sha, info.private, info.gated) == ("libby/open", library.commits["open"], False, False)
    assert info.card_data and info.card_data.license == "apache-2.0"
    assert {file.rfilename: file.size for file in info.siblings or []} == {
        path: len(data) for path, data in library.files["open"].items()
    }
    assert info.downloads is None
    assert library.api().model_info("libby/open", expand=["sha", "downloads"]).sha == library.commits["open"]
    assert library.api().repo_exists("libby/open")
    assert not library.api().repo_exists("libby/secret")
    assert library.api().file_exists("libby/open", "config.json")
    assert not library.api().file_exists("libby/open", "none.json")
    assert library.api().revision_exists("libby/open", "main")
    assert not library.api().revision_exists("libby/open", "dev/x")


def test_lists(library: Library) -> None:
    api = library.api()
    assert {"libby/open", "libby/gated", "libby/card"} <= {model.id for model in api.list_models(author="libby")}
    assert "libby/secret" not in {model.id for model in api.list_models(author="libby", full=True)}
    assert "libby/secret" in {model.id for model in library.api("libby").list_models(author="libby")}
    assert [model.id for model in api.list_models(search="bby/ope", limit=1)] == ["libby/open"]
    found = list(api.list_models(author="libby", filter="tiny", pipeline_tag="text-generation", full=True))
    assert "libby/open" in {model.id for model in found}
    assert [data.id for data in api.list_datasets(author="libby")] == ["libby/rows"]
    assert sorted(model.id for model in api.list_models(author="libby", sort="created_at", gated=True)) == [
        "libby/gated"
    ]


def test_files_of_a_revision(library: Library) -> None:
    api = library.api()
    assert set(api.list_repo_files("libby/open")) == set(library.files["open"])
    tree = {item.path: item for item in api.list_repo_tree("libby/open", recursive=True, expand=True)}
    assert tree["model.safetensors"].size == len(BIG)
    assert tree["model.safetensors"].lfs.size == len(BIG)
    assert tree["config.json"].last_commit.oid == library.commits["open"]
    (config,) = api.get_paths_info("libby/open", ["config.json", "none"], expand=True)
    assert config.path == "config.json"
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree("libby/open", "nowhere"))


def test_refs_and_commits(library: Library) -> None:
    refs = library.api().list_repo_refs("libby/open", include_pull_requests=True)
    assert [(ref.name, ref.target_commit) for ref in refs.branches] == [("main", library.commits["open"])]
    (commit,) = library.api().list_repo_commits("libby/open", formatted=True)
    assert (commit.commit_id, commit.authors) == (library.commits["open"], ["libby"])


def test_hf_hub_download(library: Library, tmp_path: Path) -> None:
    path = hf_hub_download("libby/open", "model.safetensors", endpoint=library.url, token=False)
    assert Path(path).read_bytes() == BIG
    assert library.commits["open"] in path
    again = hf_hub_download(
        "libby/open", "onnx/deep/notes.txt", endpoint=library.url, token=False, revision="refs/releases/1"
    )
    assert Path(again).read_bytes() == b"hello\n"
    local = hf_hub_download(
        "libby/open", "config.json", endpoint=library.url, token=False, local_dir=tmp_path / "local"
    )
    assert Path(local) == tmp_path / "local" / "config.json"
    for revision, name, error in (
        ("main", "none", EntryNotFoundError),
        ("never", "config.json", RevisionNotFoundError),
    ):
        with pytest.raises(error):
            hf_hub_download("libby/open", name, endpoint=library.url, token=False, revision=revision)


def test_a_missing_file_is_remembered_as_missing(library: Library, tmp_path: Path) -> None:
    with pytest.raises(EntryNotFoundError):
        hf_hub_download("libby/open", "none.json", endpoint=library.url, token=False, cache_dir=tmp_path)
    assert list(tmp_path.glob(f"models--libby--open/.no_exist/{library.commits['open']}/none.json"))


def test_snapshot_download(library: Library, tmp_path: Path) -> None:
    for name, kind in (("open", "model"), ("rows", "dataset")):
        for where in ({}, {"local_dir": tmp_path / name}):
            folder = Path(
                snapshot_download(f"libby/{name}", repo_type=kind, endpoint=library.url, token=False, **where)
            )
            for path, data in library.files[name].items():
                assert (folder / path).read_bytes() == data


def test_a_download_that_broke_off_goes_on_by_range(library: Library, tmp_path: Path) -> None:
    from huggingface_hub.file_download import http_get

    url = f"{library.url}/libby/open/resolve/main/model.safetensors"
    target = tmp_path / "part"
    target.write_bytes(BIG[:5_000_001])
    with target.open("ab") as file:
        http_get(url, file, resume_size=5_000_001, headers={}, expected_size=len(BIG))
    assert target.read_bytes() == BIG


def test_gated_hidden_card_only_and_withdrawn_are_the_errors_that_clients_know(library: Library) -> None:
    for who in (False, library.tokens["guest"]):
        with pytest.raises(GatedRepoError):
            hf_hub_download("libby/gated", "config.json", endpoint=library.url, token=who)
        with pytest.raises(RepositoryNotFoundError) as hidden:
            hf_hub_download("libby/secret", "config.json", endpoint=library.url, token=who)
        with pytest.raises(RepositoryNotFoundError) as absent:
            hf_hub_download("libby/absent", "config.json", endpoint=library.url, token=who)
        assert type(hidden.value) is type(absent.value) is RepositoryNotFoundError
        with pytest.raises(DisabledRepoError):
            library.api().model_info("libby/gone", token=who)
        with pytest.raises(LocalEntryNotFoundError) as gone:
            hf_hub_download("libby/gone", "config.json", endpoint=library.url, token=who)
        assert isinstance(gone.value.__cause__, DisabledRepoError)
    with pytest.raises((HfHubHTTPError, LocalEntryNotFoundError)) as card:
        hf_hub_download("libby/card", "config.json", endpoint=library.url, token=False)
    assert not isinstance(card.value, RepositoryNotFoundError)
    own = hf_hub_download("libby/gated", "config.json", endpoint=library.url, token=library.tokens["libby"])
    assert Path(own).read_bytes() == library.files["gated"]["config.json"]
    with pytest.raises(GatedRepoError):
        library.api("guest").auth_check("libby/gated")
    library.api("libby").auth_check("libby/gated")
    with pytest.raises(RepositoryNotFoundError):
        library.api().auth_check("libby/secret")


def test_the_card_of_gated_and_inference_only_models_is_read_by_all(library: Library) -> None:
    for name in ("gated", "card"):
        assert ModelCard.load(f"libby/{name}", token=False).data.license == "apache-2.0"


def test_validate_yaml(library: Library) -> None:
    ModelCard("---\nlicense: mit\n---\n# Tiny\n").validate()
    with pytest.raises(ValueError, match="license"):
        ModelCard("---\nlicense: made-up\n---\n# Tiny\n").validate()


def test_the_file_system(library: Library) -> None:
    files = HfFileSystem(endpoint=library.url, token=False, skip_instance_cache=True)
    assert "libby/open/onnx" in files.ls("libby/open", detail=False)
    with files.open("libby/open/model.safetensors", "rb") as file:
        file.seek(1_000_000)
        assert file.read(100) == BIG[1_000_000:1_000_100]
    assert files.read_text("datasets/libby/rows/data/train.csv") == "a,b\n1,2\n"
    assert not files.exists("libby/secret")
    with pytest.raises(FileNotFoundError):
        files.info("libby/open/none")


def test_repos_are_made_set_and_deleted(library: Library) -> None:
    api = library.api("guest")
    url = api.create_repo("guest/made", private=True)
    assert (url.repo_id, url.endpoint) == ("guest/made", library.url)
    assert api.create_repo("Guest/Made", exist_ok=True).repo_id == "guest/made"
    assert api.create_repo("made-in-mine", repo_type="dataset").repo_id == "guest/made-in-mine"
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_repo("guest/made")
    assert caught.value.response.status_code == 409
    assert api.model_info("guest/made").private is True
    assert api.list_repo_files("guest/made") == [".gitattributes"]
    api.update_repo_settings("guest/made", gated="manual")
    assert api.model_info("guest/made").gated == "manual"
    api.update_repo_settings("guest/made", gated=False, private=False)
    assert api.model_info("guest/made").gated is False
    with pytest.raises(RepositoryNotFoundError):
        library.api("libby").update_repo_settings("guest/made", private=False)
    with pytest.raises(HfHubHTTPError) as caught:
        library.api("libby").create_repo("guest/theirs")
    assert caught.value.response.status_code == 403
    api.delete_repo("guest/made")
    assert not api.repo_exists("guest/made")
    api.delete_repo("guest/made", missing_ok=True)
    api.delete_repo("guest/made-in-mine", repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError):
        library.api("libby").delete_repo("guest/made")


def test_a_space_is_refused_in_words(library: Library) -> None:
    with pytest.raises(HfHubHTTPError, match="no spaces"):
        library.api("guest").create_repo("guest/space", repo_type="space", space_sdk="gradio")
