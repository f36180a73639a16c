"""A real Chromium, a real hub, and one real release in each of the two states that people look at most."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response, sync_playwright

from tests.running import RunningHub

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "artefacts" / "screenshots"
INSTALL = "apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core"
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
]
"""So that Chromium speaks to the hub and to nobody else."""

PASSWORD = "correct horse battery"
CARD = """---
license: apache-2.0
language: [en]
datasets: [acme/counting]
---
# Tiny counter

A model of **{parameters} parameters** that counts, made to show how a release looks.

| split | accuracy |
|---|---|
| test | 0.5 |

## Limitations

It cannot do anything else.

## Evaluation

None beyond the table above. See the [licence](LICENSE).
"""

Open = Callable[..., Page]


def chromium_path() -> str:
    """Debian's Chromium; installed now when we are root on Debian, else the command that installs it is told."""
    found = shutil.which("chromium")
    if found:
        return found
    is_debian = "debian" in " ".join(platform.freedesktop_os_release().get(key, "") for key in ("ID", "ID_LIKE"))
    if not is_debian or os.geteuid() != 0:
        pytest.fail(f"these tests need Chromium. On Debian: sudo sh -c '{INSTALL}'", pytrace=False)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["sh", "-c", INSTALL], env=env, capture_output=True, text=True, check=False)
    found = shutil.which("chromium")
    if done.returncode != 0 or not found:
        pytest.fail(
            f"could not install Chromium by `{INSTALL}`:\n{done.stdout[-2000:]}{done.stderr[-2000:]}", pytrace=False
        )
    return found


# Not for the session: while Playwright's own event loop runs in this thread, no other test can have one.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, headless=True, chromium_sandbox=os.geteuid() != 0, args=QUIET
        )
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def scheme(request) -> str:
    return request.param


@pytest.fixture
def look(chromium: Browser, shown_hub: ShownHub, scheme: str) -> Iterator[Open]:
    """Opens a page without JavaScript in one colour scheme; fails on anything that a browser complains about."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(path: str, *, width: int = 1280, height: int = 900, page: Page | None = None) -> Page:
        if page is None:
            context = chromium.new_context(
                base_url=shown_hub.url,
                color_scheme=scheme,
                java_script_enabled=False,
                viewport={"width": width, "height": height},
                reduced_motion="reduce",
            )
            contexts.append(context)
            page = context.new_page()
            page.on("console", lambda message: complaints.extend(_said(message.type, message.text)))
            page.on("response", lambda answer: complaints.extend(_missing_part(answer)))
            page.on("requestfailed", lambda asked: complaints.extend(_failed(asked)))
            page.on("request", lambda asked: complaints.extend(_foreign(asked.url, shown_hub.url)))
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def keep(scheme: str) -> Callable[[Page, str], None]:
    """Keeps a screenshot of the whole page in artefacts/screenshots, for CI to show."""

    def screenshot(page: Page, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}.png", full_page=True)

    return screenshot


class ShownHub:
    """A hub with a release that is out, and one that waits at the gate."""

    def __init__(self, hub: RunningHub, tokens: dict[str, str]) -> None:
        self.hub = hub
        self.url = hub.url
        self.tokens = tokens

    def weighbridge(self, *words: str, token: str, expected: int = 0) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "WEIGHBRIDGE_"))}
        env |= {"HF_TOKEN": token, "HF_ENDPOINT": self.url, "HF_HOME": str(self.hub.data / "no-home")}
        command = [sys.executable, "-m", "weighbridge.cli.main", *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == expected, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def shown_hub(start_hub, tmp_path_factory) -> ShownHub:
    hub: RunningHub = start_hub()
    people = {"lin": "read write", "ada": "read approve", "grace": "read approve", "eve": "read"}
    tokens = {name: hub.user(name, scopes) for name, scopes in people.items()}
    hub.organisation("acme", {"lin": "write", "ada": "reviewer", "grace": "reviewer"}, policy="responsible")
    shown = ShownHub(hub, tokens)
    folder = make_folder(tmp_path_factory.mktemp("models") / "tiny-counter")
    for name in ("tiny-counter", "tiny-waiting"):
        words = ("release", str(folder), f"acme/{name}", "--weights", "public", "--inference", "none", "--no-wait")
        shown.weighbridge(*words, token=tokens["lin"], expected=3)
    shown.weighbridge("approve", "acme/tiny-counter", "--reason", "I read it all.", token=tokens["ada"])
    shown.weighbridge("approve", "acme/tiny-counter", "--reason", "Agreed.", token=tokens["grace"])
    shown.weighbridge("release", str(folder), "acme/tiny-counter", "--inference", "none", token=tokens["lin"])
    return shown


def make_folder(folder: Path) -> Path:
    """A small, whole Llama checkpoint: one layer, every file that its card names."""
    folder.mkdir(parents=True)
    hidden, vocabulary = 8, 32
    shapes = {
        "model.embed_tokens.weight": [vocabulary, hidden],
        "model.norm.weight": [hidden],
        **{f"model.layers.0.self_attn.{part}_proj.weight": [hidden, hidden] for part in "qkvo"},
        **{f"model.layers.0.mlp.{part}_proj.weight": [hidden, hidden] for part in ("gate", "up", "down")},
        "model.layers.0.input_layernorm.weight": [hidden],
        "model.layers.0.post_attention_layernorm.weight": [hidden],
    }
    header, at, parameters = {"__metadata__": {"format": "pt"}}, 0, 0
    for name, shape in sorted(shapes.items()):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * count]}
        at, parameters = at + 4 * count, parameters + count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": hidden,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "num_key_value_heads": 2,
        "vocab_size": vocabulary,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "README.md").write_text(CARD.format(parameters=parameters))
    (folder / "LICENSE").write_text((ROOT / "LICENSE").read_text())
    return folder


def _said(kind: str, text: str) -> list[str]:
    # Said for the page itself too, whose status each test looks at; its parts are looked at by _missing_part.
    is_complaint = kind in ("error", "warning") and not text.startswith("Failed to load resource")
    return [f"{kind}: {text}"] if is_complaint else []


def _failed(asked: Request) -> list[str]:
    # Going on to the next page gives up what the last one had not got yet.
    return [] if asked.failure == "net::ERR_ABORTED" else [f"{asked.failure}: {asked.url}"]


def _missing_part(answer: Response) -> list[str]:
    is_part = answer.request.resource_type != "document"
    return [f"{answer.status}: {answer.url}"] if is_part and answer.status >= 400 else []


def _foreign(url: str, own: str) -> list[str]:
    return [] if url.startswith(own) or re.match(r"(data|about):", url) else [f"asked elsewhere: {url}"]
