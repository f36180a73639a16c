"""torch.save archives: whole ones pass, every disagreement inside is refused."""

from __future__ import annotations

import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checkpoint.made import archive, region, state_dict, storage, tensor, text, torch_zip
from weighbridge.checkpoint import Malformed, read_torch_zip
from weighbridge.checkpoint.zip_archive import read_zip


def changed(data: bytes, old: bytes, new: bytes, *, last: bool = False) -> bytes:
    """The data with one occurrence replaced: the first, or the last."""
    at = data.rindex(old) if last else data.index(old)
    return data[:at] + new + data[at + len(old) :]


def test_reads_tensors_and_storages():
    content = read_torch_zip(region(torch_zip()))
    assert (content.tensors, content.elements) == (1, {"Float": 8})
    assert content.pickle.refused == ()


def test_two_tensors_may_share_a_storage():
    pickle = state_dict(tensor(), tensor(offset=4, size=(2, 2), stride=(2, 1)))
    assert read_torch_zip(region(torch_zip(pickle))).elements == {"Float": 12}


def test_an_empty_tensor_needs_no_bytes():
    pickle = state_dict(tensor(storage("0", 0), size=(0, 3), stride=(3, 1)))
    assert read_torch_zip(region(torch_zip(pickle, _0=b""))).tensors == 1


def test_zip64_records_and_descriptors_of_a_streaming_writer(tmp_path):
    """torch writes data descriptors and zip64 end records; so does Python to a pipe."""

    class Pipe:
        def __init__(self, out):
            self.out = out

        def write(self, data):
            return self.out.write(data)

        def flush(self):
            self.out.flush()

    with (tmp_path / "m.pt").open("wb") as out, zipfile.ZipFile(Pipe(out), "w") as whole:
        for name, data in {"m/data.pkl": state_dict(), "m/data/0": bytes(32), "m/version": b"3\n"}.items():
            with whole.open(name, "w", force_zip64=name.endswith("0")) as member:
                member.write(data)
    assert read_torch_zip(region((tmp_path / "m.pt").read_bytes())).tensors == 1


def test_what_the_pickle_does_is_reported_not_raised():
    content = read_torch_zip(region(torch_zip(b"\x80\x02cos\nsystem\n(" + text("true") + b"tR.")))
    assert [refusal.reason for refusal in content.pickle.refused] == ["names 'os.system'"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (torch_zip(_0=bytes(28)), "storage '0' says 8 elements of 4 bytes, the archive has 28"),
        (torch_zip(_1=bytes(32)), "storage '0' is not in the archive"),
        (torch_zip(_0=bytes(32), _1=bytes(4)), "'data/1' belongs to no tensor"),
        (torch_zip(state_dict(tensor(size=(4, 3), stride=(3, 1)))), "reaches past its storage"),
        (torch_zip(state_dict(tensor(offset=1))), "reaches past its storage"),
        (torch_zip(state_dict(tensor(stride=(2, 2)))), "reaches past its storage"),
        (torch_zip(state_dict(tensor(size=(2**30, 2**30, 2), stride=(0, 0, 0)))), "reaches past its storage"),
        (torch_zip(state_dict(tensor(offset=-1))), "not made of numbers"),
        (torch_zip(state_dict(tensor(stride=(-2, 1)))), "not made of numbers"),
        (torch_zip(state_dict(tensor(size=(8,)))), "something other than a storage and a shape"),
        (torch_zip(state_dict(tensor(b"N"))), "something other than a storage and a shape"),
        (torch_zip(state_dict() + b"cos\nsystem\n."), "bytes after the pickle's end"),
        (archive({"m/data/0": b""}), "no data.pkl"),
        (archive({"m/data.pkl": b"N.", "m/code/evil.py": b""}), "'m/code/evil.py' is nothing that torch.save writes"),
        (archive({"m/data.pkl": b"N.", "other/version": b"3"}), "is nothing that torch.save writes"),
        (archive({"m/data.pkl": b"N.", "m/../version": b"3"}), "a member is named"),
        (archive({"data.pkl": b"N."}), "is nothing that torch.save writes"),
        (archive({"m/data.pkl": b"N.", "m/DATA.pkl": b"N."}), "occurs twice"),
        (archive({"m/data.pkl": b"N." * 99}, method=zipfile.ZIP_DEFLATED), "a compressed member"),
        (changed(torch_zip(), b"\x80\x02}", b"\x80\x02]"), "another checksum"),
        (torch_zip() + b"\0", "does not end with its end record"),
        (b"\0" + torch_zip(), "no member where|overlaps|gap|disagree|the archive does not|does not hold"),
        (torch_zip()[:-1], "does not end with its end record"),
        (changed(torch_zip(), b"PK\x03\x04", b"PK\x03\x05"), "no member where the directory says"),
        (changed(torch_zip(), b"model/version", b"model/versiom"), "the two headers of a member disagree"),
        (changed(torch_zip(), b"model/version", b"model/versiom", last=True), "the two headers of a member disagree"),
        (changed(torch_zip(), b"PK\x01\x02", b"PK\x01\x03"), "an entry of the directory does not hold"),
    ],
)
def test_refuses(data: bytes, reason: str):
    with pytest.raises(Malformed, match=reason) as refused:
        raise_or_read(data)
    assert refused.value.at_byte is not None


def raise_or_read(data: bytes) -> None:
    """Raises also what the walk of the pickle found, such as a tensor outside of its storage."""
    malformed = read_torch_zip(region(data)).pickle.malformed
    if malformed is not None:
        raise malformed


def test_an_encrypted_member_is_refused():
    data = bytearray(archive({"m/data.pkl": b"N."}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Malformed, match="flags 0x0001"):
        read_zip(region(bytes(data)))


def test_overlapping_members_are_refused():
    data = bytearray(archive({"a": b"x", "b": b"y"}))
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = (0).to_bytes(4, "little")
    with pytest.raises(Malformed, match="overlaps the member before it"):
        read_zip(region(bytes(data)))


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2_000), st.binary(min_size=1, max_size=6))
def test_a_changed_byte_is_read_or_refused(position: int, patch: bytes):
    data = bytearray(torch_zip())
    position %= len(data)
    data[position : position + len(patch)] = patch
    try:
        read_torch_zip(region(bytes(data)))
    except Malformed:
        return


def test_every_cut_is_refused():
    data = torch_zip()
    for size in range(len(data)):
        with pytest.raises(Malformed):
            read_torch_zip(region(data[:size]))


def with_zip64_end(
    data: bytes, *, count: int | None = None, size: int | None = None, end_at: int | None = None
) -> bytes:
    """The archive with the zip64 records before its end, as torch always writes them."""
    end = data[-22:]
    members, directory_bytes, directory_at = struct.unpack("<HLL", end[10:20])
    members = members if count is None else count
    directory_bytes = directory_bytes if size is None else size
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, members, members, directory_bytes, directory_at)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(data) - 22 if end_at is None else end_at, 1)
    return data[:-22] + wide + locator + end


def test_zip64_end_records_pass():
    assert read_torch_zip(region(with_zip64_end(torch_zip()))).tensors == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (with_zip64_end(torch_zip(), count=1), "the two end records disagree"),
        (with_zip64_end(torch_zip(), size=46), "the two end records disagree"),
        (with_zip64_end(torch_zip(), end_at=0), "the zip64 locator points elsewhere"),
        (changed(with_zip64_end(torch_zip()), b"PK\x06\x06", b"PK\x06\x05"), "the zip64 end record does not hold"),
        (torch_zip()[:-12] + b"\xff\xff" + torch_zip()[-10:], "several parts"),
        (torch_zip()[:-10] + b"\xff\xff\xff\xff" + torch_zip()[-6:], "zip64 archive without its locator"),
        (torch_zip()[:-10] + b"\0\0\0\0" + torch_zip()[-6:], "a directory of 4 members in 0 bytes"),
    ],
)
def test_end_records_that_disagree_are_refused(data: bytes, reason: str):
    with pytest.raises(Malformed, match=reason):
        read_torch_zip(region(data))
