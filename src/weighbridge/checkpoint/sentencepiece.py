"""SentencePiece tokenizer models: the protobuf's outer structure, every byte of it (sentencepiece_model.proto)."""

from __future__ import annotations

from weighbridge.checkpoint.region import Cursor, Malformed, Region

MAX_PIECES = 4_000_000
_MODEL_FIELDS = frozenset(range(1, 6))  # pieces, trainer_spec, normalizer_spec, self_test_data, denormalizer_spec
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_PIECE_WIRE = {1: _LENGTH, 2: _FIXED32, 3: _VARINT}  # piece, score, type


def read_sentencepiece(region: Region) -> int:
    """The number of pieces in the vocabulary.

    Raises:
        Malformed: it is not a SentencePiece model, wholly and exactly.
    """
    cursor = Cursor(region)
    pieces = 0
    while cursor.left:
        at_byte = cursor.at_byte
        field, wire = _tag(cursor)
        if field not in _MODEL_FIELDS or wire != _LENGTH:
            raise Malformed(f"not a SentencePiece model: field {field} of wire type {wire}", at_byte=at_byte)
        size = _varint(cursor)
        if field != 1:
            cursor.skip(size)
            continue
        pieces += 1
        if pieces > MAX_PIECES:
            raise Malformed(f"more than {MAX_PIECES} pieces", at_byte=at_byte)
        _read_piece(cursor, size)
    if not pieces:
        raise Malformed("not a SentencePiece model: no pieces", at_byte=region.start)
    return pieces


def _read_piece(cursor: Cursor, size: int) -> None:
    end = cursor.position + size
    if size > cursor.left:
        raise Malformed("truncated: a piece reaches past the end", at_byte=cursor.at_byte)
    while cursor.position < end:
        at_byte = cursor.at_byte
        field, wire = _tag(cursor)
        if _PIECE_WIRE.get(field) != wire:
            raise Malformed(f"not a SentencePiece model: field {field} in a piece", at_byte=at_byte)
        if wire == _LENGTH:
            cursor.skip(_varint(cursor))
        elif wire == _FIXED32:
            cursor.skip(4)
        else:
            _varint(cursor)
    if cursor.position != end:
        raise Malformed("a piece reaches past its own end", at_byte=cursor.at_byte)


def _tag(cursor: Cursor) -> tuple[int, int]:
    tag = _varint(cursor)
    return tag >> 3, tag & 7


def _varint(cursor: Cursor) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = cursor.take(1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
    raise Malformed("a number of more than ten bytes", at_byte=cursor.at_byte)
