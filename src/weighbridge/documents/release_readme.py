"""``.release/README.md``: how to check what was downloaded, in commands."""

from __future__ import annotations

_TEXT = """\
# How to check this release

This is release {number} of `{repo}`, as {hub} released it.
Its release digest is `{digest}`: the sha256 of `SHA256SUMS` in this folder.

Run these in the folder that holds `model.sig`.

## All of it, with Weighbridge

```
weighbridge verify .
```

checks every byte, the signatures, who approved, the decision (the policy is evaluated again), and the entry in the
transparency log. It works offline, once it knows the hub's keys. To know them, let it ask the hub once and compare the
fingerprint that it prints with one that you got another way:

```
weighbridge verify --hub {hub} {repo}
```

Only that second form can tell whether the release was withdrawn since.

## The files, with coreutils

```
sha256sum --quiet -c .release/SHA256SUMS
sha256sum .release/SHA256SUMS        # {digest}
```

## The signature, with the OpenSSF model signing client

```
pip install model-signing pyOpenSSL
model_signing verify key --signature model.sig --public_key release.pub .
```

Here `release.pub` is the hub's release key. A key that comes with the download proves nothing: take it from
{hub}/.well-known/weighbridge/trust_config.json, or compare `.release/release.pub` with it. In the cache of the Hugging
Face clients, add `--allow_symlinks`. This client lets files be added under `.git`, `.github` and the like;
`weighbridge verify` does not.

## What lies here

| file | what |
|---|---|
| `SHA256SUMS` | sha256 of each of the author's files |
| `attestations.jsonl` | signed statements, one a line: inspection, documents, approvals, decision, intent |
| `policy.yaml` | the policy that decided |
| `bom.cdx.json` | bill of materials, CycloneDX 1.7 |
| `release.tlog-proof` | proof that the intent is in the hub's transparency log |
| `release.pub` | the hub's release key |
| `digests.json` | signed list of the sha256 of all of these |
| `../model.sig` | signature of the model, OpenSSF Model Signing 1.0 |
"""


def release_readme(*, repo: str, hub: str, digest: str, number: int) -> str:
    """The Markdown text. ``hub``: its public URL without a slash at the end; ``number`` counts the repo's releases."""
    return _TEXT.format(repo=repo, hub=hub, digest=digest, number=number)
