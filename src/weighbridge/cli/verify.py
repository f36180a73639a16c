"""``weighbridge verify``: whether a release, downloaded or still on its hub, is what was decided, signed and logged."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from weighbridge.cli.console import DONE, REFUSED, json_option, print_json

if TYPE_CHECKING:
    from weighbridge.cli.verify_remote import Commit, HubReader
    from weighbridge.evidence.trust import Trust
    from weighbridge.evidence.verify import Check, Judgement, Verification

_REDRAW_S = 0.2


class Root(NamedTuple):
    """A trust file, and where it is from, in words."""

    text: str
    trust: Trust
    source: str


@click.command()
@click.argument("target", metavar="DIR | NS/NAME[@REV]")
@click.option("--trust", "trust_file", type=click.Path(path_type=Path), metavar="FILE", help="Trust file of the hub.")
@click.option("--hub", "hub_url", metavar="URL", help="The hub (default: WEIGHBRIDGE_HUB, else HF_ENDPOINT).")
@click.option("--type", "repo_type", type=click.Choice(["model", "dataset"]), default="model", show_default=True)
@click.option("--online", is_flag=True, help="Of a DIR: also ask the hub whether the release was withdrawn since.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    target: str,
    trust_file: Path | None,
    hub_url: str | None,
    repo_type: str,
    online: bool,
    as_json: bool,
) -> None:
    """Check a release against its proof, one line a check.

    DIR is a downloaded folder, or a snapshot in the cache of the Hugging Face clients: it is checked offline, with the
    trust file of --trust, or the one pinned when its hub was first asked (which --hub or HF_ENDPOINT names, and which
    is asked for its trust file now if it never was). NS/NAME is read from the hub and
    hashed as it comes, without keeping the weights; REV is a release number, a branch, a tag or a commit.

    Exits with 1 on any doubt, and says why.
    """
    report = _Report(as_json=as_json)
    folder = Path(target)
    if folder.is_dir():
        root, verification = _verify_folder(folder, trust_file, hub_url, report)
        if online:
            hub = _reader(hub_url or root.trust.hub, repo_type)
            verification = _with(report, verification, _withdrawal(hub, verification, commit=None))
    else:
        root, verification = _verify_remote(target, trust_file, hub_url, repo_type, report)
    report.end(verification, root)
    ctx.exit(DONE if verification.ok else REFUSED)


def _reader(hub_url: str | None, repo_type: str) -> HubReader:
    from weighbridge.cli.hub_client import find_hub
    from weighbridge.cli.verify_remote import HubReader

    return HubReader(find_hub(hub_url, os.environ), token=_token(), repo_type=repo_type)


def _with(report: _Report, verification: Verification, *checks: Check) -> Verification:
    """The verification with these lines, printed."""
    for check in checks:
        report.line(check)
        verification = verification.with_check(check)
    return verification


def _verify_folder(
    folder: Path, trust_file: Path | None, hub_url: str | None, report: _Report
) -> tuple[Root, Verification]:
    # Hashing begins before anything else is imported: on a second core, all the rest then costs no time.
    from weighbridge.evidence.held import FolderHash

    with _Meter(quiet=report.as_json) as meter, FolderHash(folder, on_bytes=meter.add) as hashing:
        from weighbridge.evidence.verify import verify_hashing
        from weighbridge.settings import system_clock

        root = _given(trust_file) if trust_file else _pinned_for(folder, hub_url)
        verification = verify_hashing(hashing, root.trust, decide=_decide, now_ms=system_clock())
    report.begin(root)
    for check in verification.checks:
        report.line(check)
    return root, verification


def _verify_remote(
    target: str, trust_file: Path | None, hub_url: str | None, repo_type: str, report: _Report
) -> tuple[Root, Verification]:
    from weighbridge.evidence.verify import verify_held
    from weighbridge.settings import system_clock

    repo, revision = _parse(target)
    hub = _reader(hub_url, repo_type)
    commit = hub.resolve(repo, revision or _newest(hub, repo))
    root, changed = _root_of(hub, trust_file)
    report.begin(root)
    with _Meter(quiet=report.as_json) as meter:
        held = hub.hash_release(commit, on_bytes=meter.add)
    verification = verify_held(held, root.trust, decide=_decide, now_ms=system_clock(), on_check=report.line)
    checks = (*changed, _same_repo(verification, commit), _withdrawal(hub, verification, commit=commit))
    return root, _with(report, verification, *checks)


def _parse(target: str) -> tuple[str, str]:
    """Repo and revision of ``ns/name[@rev]``; "" when none is named.

    Raises:
        click.UsageError: it is neither that nor a folder.
    """
    repo, _, revision = target.partition("@")
    if repo.count("/") != 1 or not all(repo.split("/")) or repo.startswith((".", "~")) or not repo.isprintable():
        raise click.UsageError(f"{target!r} is neither a folder here nor a repo (namespace/name).")
    if revision.isdecimal() and len(revision) < 10:
        return repo, f"refs/releases/{revision}"
    return repo, revision


def _newest(hub: HubReader, repo: str) -> str:
    """Commit of the newest release that is out: for a writer, ``main`` is the branch's tip, which may be unreleased.

    If none is, that of the newest one withdrawn, so that its holders are told so.
    """
    found = [one for one in hub.releases(repo) if isinstance(one.get("commit"), str)]
    for state in ("released", "withdrawn"):
        for one in found:
            if one.get("state") == state:
                return str(one["commit"])
    return "main"


def _token() -> str | None:
    """A reader's token, if the person has one."""
    from weighbridge.cli.hub_client import find_token
    from weighbridge.errors import NotAuthenticated

    try:
        return find_token(os.environ)
    except NotAuthenticated:
        return None


def _given(path: Path) -> Root:
    from weighbridge.errors import InvalidInput, UnreadableFile
    from weighbridge.evidence.trust import MAX_TRUST_BYTES, parse_trust

    try:
        with path.open("rb") as file:
            text = file.read(MAX_TRUST_BYTES + 1).decode("utf-8")
        return Root(text=text, trust=parse_trust(text), source=f"from {path}")
    except (InvalidInput, UnicodeDecodeError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else getattr(error, "message", "it is not text")
        raise UnreadableFile(f"could not use the trust file {path}: {reason}", hint=_HOW_TO_TRUST) from error


_HOW_TO_TRUST = (
    "Get the hub's trust file (HUB/.well-known/weighbridge/trust_config.json), compare its fingerprint by another way,"
    " and give it with --trust FILE; or name the hub with --hub or HF_ENDPOINT, whose trust file is then pinned."
)


def _pinned_for(folder: Path, hub_url: str | None) -> Root:
    """The pinned trust file that names the key of this folder's seal; pinned now if the named hub is new.

    Raises:
        VerificationFailed: there is no seal, or no hub that is trusted has its key.
    """
    from weighbridge.errors import VerificationFailed
    from weighbridge.evidence.bundle import DIGESTS
    from weighbridge.evidence.envelope import MAX_ENVELOPE_BYTES, read_envelope
    from weighbridge.evidence.trust import parse_trust, pin_folder, pinned_by_key

    try:
        with (folder / DIGESTS).open("rb") as file:
            keyid = read_envelope(file.read(MAX_ENVELOPE_BYTES + 1)).keyid
    except OSError as error:
        raise VerificationFailed(
            f"could not verify {folder}: it has no {DIGESTS}, so it is not a release of Weighbridge",
            check="digests",
            hint="Download the release, `.release` and model.sig included. With a token that may write to the repo,"
            " `main` is the author's branch: leave the token away, or ask for `--revision refs/releases/1`.",
        ) from error
    text = pinned_by_key(pin_folder(os.environ), keyid)
    if text is not None:
        trust = parse_trust(text)
        return Root(text=text, trust=trust, source=f"pinned for {trust.hub}")
    root = _first_use(hub_url, keyid)
    if root is None:
        raise VerificationFailed(
            f"could not verify {folder}: it is signed by key {keyid[:16]}…, which no hub has that you trust",
            check="digests",
            hint=_HOW_TO_TRUST,
        )
    return root


def _first_use(hub_url: str | None, keyid: str) -> Root | None:
    """The trust file of the hub that is named, pinned; None if none is named, it is known already, or lacks the key.

    Only a hub that the person named is asked: what a download says of its own hub is a claim.
    """
    from weighbridge.errors import InvalidInput, WeighbridgeError
    from weighbridge.evidence.trust import parse_trust, pin_folder, pinned

    try:
        hub = _reader(hub_url, "model")
        if pinned(pin_folder(os.environ), hub.url) is not None or not parse_trust(hub.trust()).release_key(keyid):
            return None
        return _root_of(hub, None)[0]
    except InvalidInput:
        return None
    except WeighbridgeError as error:
        if hub_url:
            raise
        click.echo(f"note: the hub could not be asked for its trust file: {error.message}", err=True)
        return None


def _root_of(hub: HubReader, trust_file: Path | None) -> tuple[Root, tuple[Check, ...]]:
    """The trust file to go by, pinned now if the hub is new; and a failed check if the hub serves another one."""
    from weighbridge.evidence.trust import fingerprint, parse_trust, pin, pin_folder, pinned
    from weighbridge.evidence.verify import Check

    if trust_file:
        return _given(trust_file), ()
    folder = pin_folder(os.environ)
    served, kept = hub.trust(), pinned(folder, hub.url)
    if kept is None:
        pin(folder, hub.url, served)
        source = f"pinned for {hub.url} now, at first use: compare this fingerprint by another way"
        return Root(text=served, trust=parse_trust(served), source=source), ()
    root = Root(text=kept, trust=parse_trust(kept), source=f"pinned for {hub.url}")
    if served == kept:
        return root, ()
    reason = f"the hub serves another trust file now ({fingerprint(served)}) than the one pinned ({fingerprint(kept)})"
    return root, (Check(name="trust root", ok=False, detail=reason),)


def _same_repo(verification: Verification, commit: Commit) -> Check:
    from weighbridge.evidence.verify import Check

    released = verification.release.repo if verification.release else None
    if released == commit.repo:
        return Check(name="repo", ok=True, detail=f"{commit.repo} at commit {commit.oid}")
    detail = f"the hub shows a release of {released} as {commit.repo}" if released else "no seal says which repo it is"
    return Check(name="repo", ok=False, detail=detail)


def _withdrawal(hub: HubReader, verification: Verification, *, commit: Commit | None) -> Check:
    """What the hub says now of this release: the one line that no download can carry.

    Without a commit, of a folder: every release of these bytes counts, and one that is out is enough.
    """
    from weighbridge.evidence.verify import Check, in_words

    name = "withdrawal"
    release = verification.release
    if release is None:
        return Check(name=name, ok=False, detail="not asked: no seal says which release it is")
    found = [
        one
        for one in hub.releases(release.repo)
        if one.get("digest") == release.digest and (commit is None or one.get("commit") == commit.oid)
    ]
    out = [one for one in found if one.get("state") == "released" and not one.get("withdrawal")]
    if out:
        number = in_words(str(out[0].get("number")))
        return Check(name=name, ok=True, detail=f"the hub says now: release {number} is out, not withdrawn")
    if not found:
        return Check(name=name, ok=False, detail="the hub shows no release of these bytes")
    withdrawal: Any = found[0].get("withdrawal")
    reason = f": {withdrawal.get('reason')}" if isinstance(withdrawal, Mapping) else ""  # pyright: ignore[reportUnknownMemberType]
    detail = in_words(f"release {found[0].get('number')} is {found[0].get('state')}{reason}")
    return Check(name=name, ok=False, detail=detail)


def _decide(text: str, facts: Mapping[str, Any]) -> Judgement:
    """The policy evaluated again, in its own process."""
    import msgspec

    from weighbridge.evidence.verify import Judgement
    from weighbridge.policy import decide_sync, load_policy

    decision = decide_sync(load_policy(text), dict(facts))
    return Judgement(passed=decision.passed, rules=tuple(msgspec.to_builtins(rule) for rule in decision.rules))


class _Report:
    """Prints the lines as they are known, or one JSON object at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def begin(self, root: Root) -> None:
        from weighbridge.evidence.trust import fingerprint

        if not self.as_json:
            click.echo(f"trust root {fingerprint(root.text)} ({root.source})")

    def line(self, check: Check) -> None:
        if not self.as_json:
            word = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red", bold=True)
            click.echo(f"  {word}  {check.name:<16} {check.detail}")

    def end(self, verification: Verification, root: Root) -> None:
        import msgspec

        from weighbridge.evidence.trust import fingerprint

        if self.as_json:
            trust = {"fingerprint": fingerprint(root.text), "hub": root.trust.hub, "source": root.source}
            print_json({**msgspec.to_builtins(verification), "trust": trust})
            return
        failed = [check for check in verification.checks if not check.ok]
        release, signer = verification.release, verification.signer
        if failed:
            click.echo(
                f"NOT verified: {len(failed)} of {len(verification.checks)} checks failed, {failed[0].name} first"
            )
        elif release and signer:
            click.echo(
                f"verified: {release.repo} {release.digest[:16]}…, signed by {signer.identity} of {signer.issuer}"
            )


class _Meter:
    """Bytes hashed so far, on a terminal's standard error; any thread may add."""

    def __init__(self, *, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._lock = threading.Lock()  # guards the two below
        self._size_bytes = 0
        self._drawn_s = 0.0

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def add(self, size_bytes: int) -> None:
        with self._lock:
            self._size_bytes += size_bytes
            now_s = time.monotonic()
            if self._shown and now_s - self._drawn_s > _REDRAW_S:
                self._drawn_s = now_s
                click.echo(f"\r\033[K  hashed {self._size_bytes / 1e6:,.0f} MB", err=True, nl=False)

    def clear(self) -> None:
        if self._shown:
            click.echo("\r\033[K", err=True, nl=False)
