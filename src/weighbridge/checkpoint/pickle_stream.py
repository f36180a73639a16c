"""Reads a pickle by walking its opcodes with a real stack and memo, without unpickling anything.

    report = read_pickle(region)
    report.refused  # ((at_byte, "calls os.system"), ...); empty for a pickle that can only make values

A pickle is a program: its globals name what is called when it is loaded. Deny-lists of globals are bypassed again and
again (arXiv 2508.19774), so whatever is not on the allow-list of ``pickle_globals`` is refused, and so is every way to
reach a global by computation.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from weighbridge.checkpoint.jsonfile import clip
from weighbridge.checkpoint.pickle_globals import ALLOWED, Makes, forbidden_arguments
from weighbridge.checkpoint.pickle_opcodes import LongBytes, Opcode, number_of, read_opcodes
from weighbridge.checkpoint.pickle_values import MARK, OPAQUE, Global, Kind, Known, Storage, Value
from weighbridge.checkpoint.region import Cursor, Malformed, Region

MAX_REFUSALS = 100
MAX_KEPT_ITEMS = 256
MAX_KEY_DEPTH = 3


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a pickle of weights does not do, and the byte of its opcode in the file."""

    at_byte: int
    reason: str


class PickleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the walk saw. ``malformed`` is why it ended early, if it did; ``end`` is where STOP was, exclusive."""

    protocol: int
    globals: tuple[str, ...]
    refused: tuple[Refusal, ...]
    malformed: Malformed | None
    end: int
    storages: tuple[Storage, ...]


def read_pickle(region: Region, *, on_call: Callable[[Global, Known, int], None] | None = None) -> PickleReport:
    """What a pickle at the region's start would do. Never raises for what the pickle holds: the report says it.

    ``on_call`` gets each allowed call with what is known of its arguments, and may raise Malformed.
    """
    walk = _Walk(on_call)
    cursor = Cursor(region)
    malformed = None
    try:
        for opcode in read_opcodes(cursor):
            walk.step(opcode)
    except Malformed as error:
        malformed = error
    return PickleReport(
        protocol=walk.protocol,
        globals=tuple(sorted(walk.globals)),
        refused=tuple(walk.refused),
        malformed=malformed,
        end=cursor.position,
        storages=tuple(walk.storages.values()),
    )


class _Walk:
    """The stack, the memo and what was found so far. Methods are named after the opcodes of pickletools."""

    def __init__(self, on_call: Callable[[Global, Known, int], None] | None) -> None:
        self.stack: list[Known] = []
        self.memo: dict[int, Known] = {}
        self.protocol = 0
        self.globals: set[str] = set()
        self.refused: list[Refusal] = []
        self.storages: dict[str, Storage] = {}
        self._on_call = on_call
        self._at_byte = 0

    def step(self, opcode: Opcode) -> None:
        """Does what the opcode does, to what is known."""
        self._at_byte = opcode.at_byte
        name = opcode.name
        if name in _PUSHES:
            self.stack.append(_PUSHES[name])
        elif name in _TEXTS:
            self.stack.append(self._text(opcode))
        elif name in _NUMBERS:
            self.stack.append(number_of(opcode))
        elif name in _FLAGGED:
            self._refuse(_FLAGGED[name])
            self.stack.append(Value(Kind.OBJECT))
        else:
            _ACTIONS[name](self, opcode)

    # --- stack and memo ------------------------------------------------------------------------------------------

    def pop(self) -> Known:
        """Takes the top of the stack, which must not be a mark."""
        if not self.stack or self.stack[-1] is MARK:
            raise self._broken("the stack is empty")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Known]:
        """Takes everything above the topmost mark, and the mark."""
        for depth in range(len(self.stack) - 1, -1, -1):
            if self.stack[depth] is MARK:
                items = self.stack[depth + 1 :]
                del self.stack[depth:]
                return items
        raise self._broken("there is no mark on the stack")

    def top(self) -> Known:
        """The top of the stack, which stays."""
        if not self.stack or self.stack[-1] is MARK:
            raise self._broken("the stack is empty")
        return self.stack[-1]

    def do_put(self, opcode: Opcode) -> None:
        self.memo[self._index(opcode)] = self.top()

    def do_memoize(self, opcode: Opcode) -> None:  # noqa: ARG002
        self.memo[len(self.memo)] = self.top()

    def do_get(self, opcode: Opcode) -> None:
        index = self._index(opcode)
        if index not in self.memo:
            raise self._broken(f"memo {index} was never put")
        self.stack.append(self.memo[index])

    def do_pop(self, opcode: Opcode) -> None:  # noqa: ARG002
        if not self.stack:
            raise self._broken("the stack is empty")
        self.stack.pop()

    def do_pop_mark(self, opcode: Opcode) -> None:  # noqa: ARG002
        self.pop_to_mark()

    def do_dup(self, opcode: Opcode) -> None:  # noqa: ARG002
        self.stack.append(self.top())

    def do_stop(self, opcode: Opcode) -> None:  # noqa: ARG002
        self.pop()
        if self.stack:
            raise self._broken(f"{len(self.stack)} values are left on the stack")

    # --- containers ----------------------------------------------------------------------------------------------

    def do_tuple(self, opcode: Opcode) -> None:
        if opcode.name == "TUPLE":
            items = self.pop_to_mark()
        else:
            items = [self.pop() for _ in range({"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}[opcode.name])][::-1]
        self.stack.append(tuple(items[:MAX_KEPT_ITEMS]))

    def do_list(self, opcode: Opcode) -> None:  # noqa: ARG002
        self.pop_to_mark()
        self.stack.append(Value(Kind.LIST))

    def do_dict(self, opcode: Opcode) -> None:  # noqa: ARG002
        self._check_keys(self.pop_to_mark())
        self.stack.append(Value(Kind.DICT))

    def do_frozenset(self, opcode: Opcode) -> None:  # noqa: ARG002
        for item in self.pop_to_mark():
            self._check_key(item)
        self.stack.append(Value(Kind.SET))

    def do_append(self, opcode: Opcode) -> None:
        if opcode.name == "APPENDS":
            self.pop_to_mark()
        else:
            self.pop()
        self._expect(Kind.LIST, opcode)

    def do_setitem(self, opcode: Opcode) -> None:
        if opcode.name == "SETITEMS":
            pairs = self.pop_to_mark()
        else:
            value, key = self.pop(), self.pop()
            pairs = [key, value]
        self._check_keys(pairs)
        self._expect(Kind.DICT, opcode)

    def do_additems(self, opcode: Opcode) -> None:
        for item in self.pop_to_mark():
            self._check_key(item)
        self._expect(Kind.SET, opcode)

    def _expect(self, kind: Kind, opcode: Opcode) -> None:
        # torch before 2.10 wrote past memory for SETITEM on something other than a dict (CVE-2026-24747).
        target = self.top()
        if not isinstance(target, Value) or target.kind is not kind:
            if isinstance(target, Value) and target.kind is Kind.OBJECT and self.refused:
                return  # made by what is refused already; what it is cannot be known
            raise self._broken(f"{opcode.name} on something that is no {kind}")

    def _check_keys(self, pairs: list[Known]) -> None:
        if len(pairs) % 2:
            raise self._broken("a dict has a key without a value")
        for key in pairs[::2]:
            self._check_key(key)

    def _check_key(self, key: Known, depth: int = 0) -> None:
        # Hashing tuples of tuples takes time exponential in their depth: a pickle of a few bytes that never loads.
        if depth > MAX_KEY_DEPTH:
            raise self._broken("a key is nested too deeply")
        if isinstance(key, tuple):
            for item in key:
                self._check_key(item, depth + 1)

    # --- globals and calls ---------------------------------------------------------------------------------------

    def do_global(self, opcode: Opcode) -> None:
        module, _, name = _ascii(opcode.argument).partition("\n")
        self.stack.append(self._named(module, name))

    def do_stack_global(self, opcode: Opcode) -> None:  # noqa: ARG002
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            self._refuse("looks up a global whose name it computes")
            self.stack.append(Value(Kind.OBJECT))
            return
        self.stack.append(self._named(module, name))

    def do_inst(self, opcode: Opcode) -> None:
        module, _, name = _ascii(opcode.argument).partition("\n")
        arguments = tuple(self.pop_to_mark())
        self._call(self._named(module, name), arguments)

    def do_obj(self, opcode: Opcode) -> None:  # noqa: ARG002
        items = self.pop_to_mark()
        if not items:
            raise self._broken("OBJ without a class")
        self._call(items[0], tuple(items[1:]))

    def do_newobj(self, opcode: Opcode) -> None:
        if opcode.name == "NEWOBJ_EX":
            self.pop()  # the keyword arguments
        arguments, target = self.pop(), self.pop()
        self._call(target, arguments)

    def do_reduce(self, opcode: Opcode) -> None:  # noqa: ARG002
        arguments, target = self.pop(), self.pop()
        self._call(target, arguments)

    def do_build(self, opcode: Opcode) -> None:  # noqa: ARG002
        self.pop()
        target = self.top()
        if isinstance(target, Value) and (target.state or (target.kind is Kind.OBJECT and self.refused)):
            return
        what = str(target) if isinstance(target, Global) else "an object that has none"
        self._refuse(f"sets the state of {clip(what)}")

    def do_persid(self, opcode: Opcode) -> None:
        identity = self.pop() if opcode.name == "BINPERSID" else None
        match identity:
            case ("storage", Global(module=_, name=type_name), str(key), str(), int(elements)):
                storage = Storage(type_name, key, elements, self._at_byte)
            case _:
                self._refuse("names something outside of it that is not a torch storage")
                self.stack.append(Value(Kind.OBJECT))
                return
        known = self.storages.setdefault(key, storage)
        if (known.type_name, known.elements) != (type_name, elements):
            raise self._broken(f"storage {clip(key)} is named twice, with different sizes")
        self.stack.append(storage)

    def _named(self, module: str, name: str) -> Global:
        found = Global(module, name)
        if (module, name) not in ALLOWED:
            self._refuse(f"names {clip(found)}")
        if len(self.globals) < MAX_REFUSALS * 2:
            self.globals.add(str(found))
        return found

    def _call(self, target: Known, arguments: Known) -> None:
        if not isinstance(target, Global):
            self._refuse("calls something that it computed")
            self.stack.append(Value(Kind.OBJECT))
            return
        allowed = ALLOWED.get((target.module, target.name))
        if allowed is None:  # refused when it was named
            self.stack.append(Value(Kind.OBJECT))
            return
        forbidden = forbidden_arguments(target.module, target.name, arguments if isinstance(arguments, tuple) else ())
        if allowed.makes is Makes.NOTHING:
            forbidden = "which is only to be named"
        if forbidden:
            self._refuse(f"calls {target} {forbidden}")
            self.stack.append(Value(Kind.OBJECT))
            return
        if self._on_call is not None:
            self._on_call(target, arguments, self._at_byte)
        self.stack.append(Value(OPAQUE[allowed.makes].kind, allowed.state))

    # --- arguments -----------------------------------------------------------------------------------------------

    def do_proto(self, opcode: Opcode) -> None:
        self.protocol = number_of(opcode)
        if self.protocol > 5:
            raise self._broken(f"protocol {self.protocol}; up to 5 are known")

    def do_frame(self, opcode: Opcode) -> None:
        """Nothing: read_opcodes has checked it."""

    def do_text_number(self, opcode: Opcode) -> None:
        text = _ascii(opcode.argument).rstrip("L")
        if len(text) > 40:
            self.stack.append(Value(Kind.NUMBER))
            return
        try:
            self.stack.append(int(text))
        except ValueError as error:
            raise self._broken(f"{clip(text)} is no number") from error

    def do_long(self, opcode: Opcode) -> None:
        data = opcode.argument
        self.stack.append(
            int.from_bytes(data, "little", signed=True) if isinstance(data, bytes) else Value(Kind.NUMBER)
        )

    def _index(self, opcode: Opcode) -> int:
        if opcode.name not in ("PUT", "GET"):
            return number_of(opcode)
        text = _ascii(opcode.argument)
        if not text.isdigit() or len(text) > 10:
            raise self._broken(f"{clip(text)} is no place in the memo")
        return int(text)

    def _text(self, opcode: Opcode) -> Known:
        if isinstance(opcode.argument, LongBytes) or opcode.argument is None:
            return Value(Kind.TEXT)
        data = opcode.argument
        if opcode.name == "STRING":
            if len(data) < 2 or data[:1] not in b"'\"" or data[:1] != data[-1:]:
                raise self._broken("a string without quotes")
            # Escapes are not undone: with one in it, a name is computed, and no allowed name has any.
            return _ascii(data[1:-1])
        if opcode.name == "UNICODE":
            return _ascii(data)
        try:
            return data.decode("utf-8", "surrogatepass") if "UNICODE" in opcode.name else data.decode("ascii")
        except UnicodeDecodeError as error:
            if "UNICODE" in opcode.name:
                raise self._broken("a text is not valid UTF-8") from error
            return Value(Kind.BYTES)

    def _refuse(self, reason: str) -> None:
        if len(self.refused) < MAX_REFUSALS:
            self.refused.append(Refusal(at_byte=self._at_byte, reason=reason))

    def _broken(self, reason: str) -> Malformed:
        return Malformed(f"not a well-formed pickle: {reason}", at_byte=self._at_byte)


def _ascii(data: bytes | LongBytes | None) -> str:
    """The bytes as text, one character each, so that nothing that is not ASCII equals an allowed name by accident."""
    return data.decode("latin-1") if isinstance(data, bytes) else ""


_PUSHES: dict[str, Known] = {
    "MARK": MARK,
    "EMPTY_LIST": Value(Kind.LIST),
    "EMPTY_DICT": Value(Kind.DICT),
    "EMPTY_SET": Value(Kind.SET),
    "EMPTY_TUPLE": (),
    "NONE": Value(Kind.NONE),
    "NEWTRUE": Value(Kind.NUMBER),
    "NEWFALSE": Value(Kind.NUMBER),
    "FLOAT": Value(Kind.NUMBER),
    "BINFLOAT": Value(Kind.NUMBER),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), Value(Kind.BYTES)),
}
_TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_NUMBERS = {"BININT1", "BININT2"}
_FLAGGED = {
    "EXT1": "looks up a global by a number of the loader's registry",
    "EXT2": "looks up a global by a number of the loader's registry",
    "EXT4": "looks up a global by a number of the loader's registry",
    "NEXT_BUFFER": "takes bytes from outside of it",
}
_ACTIONS: dict[str, Callable[[_Walk, Opcode], None]] = {
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Walk.do_put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Walk.do_get),
    **dict.fromkeys(("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"), _Walk.do_tuple),
    **dict.fromkeys(("APPEND", "APPENDS"), _Walk.do_append),
    **dict.fromkeys(("SETITEM", "SETITEMS"), _Walk.do_setitem),
    **dict.fromkeys(("NEWOBJ", "NEWOBJ_EX"), _Walk.do_newobj),
    **dict.fromkeys(("PERSID", "BINPERSID"), _Walk.do_persid),
    **dict.fromkeys(("INT", "LONG"), _Walk.do_text_number),
    **dict.fromkeys(("BININT", "LONG1", "LONG4"), _Walk.do_long),
    "MEMOIZE": _Walk.do_memoize, "POP": _Walk.do_pop, "POP_MARK": _Walk.do_pop_mark, "DUP": _Walk.do_dup,
    "STOP": _Walk.do_stop, "LIST": _Walk.do_list, "DICT": _Walk.do_dict, "FROZENSET": _Walk.do_frozenset,
    "ADDITEMS": _Walk.do_additems, "GLOBAL": _Walk.do_global, "STACK_GLOBAL": _Walk.do_stack_global,
    "INST": _Walk.do_inst, "OBJ": _Walk.do_obj, "REDUCE": _Walk.do_reduce, "BUILD": _Walk.do_build,
    "PROTO": _Walk.do_proto, "FRAME": _Walk.do_frame, "READONLY_BUFFER": _Walk.do_frame,
}  # fmt: skip
