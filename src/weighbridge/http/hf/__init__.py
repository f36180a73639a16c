"""The Hugging Face API, as unmodified clients speak it (read side, repos, accounts). Uploads by them come later.

What is not listed here is answered 404 in JSON; spaces, kernels and buckets 501.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from weighbridge.bootstrap import Hub
from weighbridge.http.hf import account, history, repos, resolve, tree, validate
from weighbridge.http.hf.info import RepoInfo
from weighbridge.http.hf.listing import RepoListing
from weighbridge.http.hf.repo_json import RevisionParts
from weighbridge.http.hf.routing import RawRoute
from weighbridge.http.json import answer

__all__ = ["routes"]


def routes(hub: Hub) -> list[BaseRoute]:
    """One route for all of it; it dispatches on the raw path."""
    parts = RevisionParts()
    info = RepoInfo(parts)
    repo_verbs = {
        "": {"GET": info.at_main},
        "revision": {"GET": info.at_revision},
        "tree": {"GET": tree.tree},
        "paths-info": {"POST": tree.info_of_paths},
        "refs": {"GET": history.refs},
        "commits": {"GET": history.commits},
        "settings": {"PUT": repos.settings},
        "auth-check": {"GET": repos.auth_check},
    }
    words = {
        "models": {"GET": RepoListing(parts, "model")},
        "datasets": {"GET": RepoListing(parts, "dataset")},
        "whoami-v2": {"GET": account.whoami},
        "repos/create": {"POST": repos.create},
        "repos/delete": {"DELETE": repos.delete},
        "validate-yaml": {"POST": validate.validate_yaml},
        "agent-harnesses": {"GET": _no_harnesses},
        "telemetry/*": {"GET": _no_telemetry},
    }
    return [RawRoute(hub, repo_verbs=repo_verbs, words=words, resolve=resolve.resolve)]


async def _no_harnesses(_: Request) -> Response:
    """What every process of ``huggingface_hub`` asks first; this answer it keeps for a day."""
    return answer({"standardEnvVars": [], "harnesses": {}})


async def _no_telemetry(_: Request) -> Response:
    """Taken and forgotten: this hub keeps no telemetry of clients."""
    return Response(status_code=200)
