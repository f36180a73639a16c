"""The YAML loaders that hostile text is read with: safe ones whose numbers cost no more than they are long.

    yaml.load(text, Loader=PlainLoader)

PyYAML reads ``1:1:1`` as a number of base 60, in time that grows with the square of its length, and makes integers of
any number of digits. A number of more than ``MAX_NUMBER_CHARACTERS`` is kept as the text that it is.
"""

from __future__ import annotations

from typing import Any

import yaml

MAX_NUMBER_CHARACTERS = 64


class PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader, with bounded numbers; to be derived from."""


class FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same over libyaml, where PyYAML was built with it."""


def _bound(loader: Any, tag: str, construct: Any) -> None:
    def bounded(self: Any, node: Any) -> Any:
        long = isinstance(node, yaml.ScalarNode) and len(node.value) > MAX_NUMBER_CHARACTERS
        return node.value if long else construct(self, node)

    loader.add_constructor(tag, bounded)


for _loader in (PlainLoader, FastLoader):
    _bound(_loader, "tag:yaml.org,2002:int", yaml.SafeLoader.construct_yaml_int)
    _bound(_loader, "tag:yaml.org,2002:float", yaml.SafeLoader.construct_yaml_float)
