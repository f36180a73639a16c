"""What the abstract walk of a pickle has on its stack: never an object, only what is known about one."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from weighbridge.checkpoint.pickle_globals import Makes


class Kind(StrEnum):
    """What an opaque value is."""

    MARK = "mark"
    LIST = "list"
    DICT = "dict"
    SET = "set"
    BYTES = "bytes"
    TEXT = "text"  # too long to keep
    NUMBER = "number"
    NONE = "none"
    OBJECT = "object"  # made by a call
    PERSISTENT = "persistent"  # a torch storage, named by its persistent id


class Value(msgspec.Struct, frozen=True):
    """A value of which only the kind is known. ``state``: BUILD may set it."""

    kind: Kind
    state: bool = False


class Global(msgspec.Struct, frozen=True):
    """A global by its exact names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Storage(msgspec.Struct, frozen=True):
    """A torch storage as a persistent id names it: its type, the zip member's name, the number of elements."""

    type_name: str
    key: str
    elements: int
    at_byte: int


# Text and numbers stand for themselves, tuples hold what is known of their items.
Known = str | int | Value | Global | Storage | tuple["Known", ...]

MARK = Value(Kind.MARK)
OPAQUE = {
    Makes.VALUE: Value(Kind.OBJECT),
    Makes.DICT: Value(Kind.DICT),
    Makes.LIST: Value(Kind.LIST),
    Makes.SET: Value(Kind.SET),
}
