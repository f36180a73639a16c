"""Reads model files without executing anything in them: what a file is, what is in it, and whether its structure holds.

    with open_region(ModelFile(path="model.safetensors", local_path=path, size_bytes=size)) as region:
        header = read_safetensors(region)
    header.parameters, header.dtypes

Every reader bounds each count and length before it allocates, reads through windows however large the file is, and
raises ``Malformed`` (an UnreadableFile with the byte where it happened) on whatever it does not accept.
"""

from weighbridge.checkpoint.format import Format, expected_formats, sniff
from weighbridge.checkpoint.gguf import GgufFile, read_gguf
from weighbridge.checkpoint.jsonfile import read_json
from weighbridge.checkpoint.pickle_stream import PickleReport, read_pickle
from weighbridge.checkpoint.region import Malformed, ModelFile, Region, open_region
from weighbridge.checkpoint.safetensors import SafetensorsFile, Tensor, read_safetensors
from weighbridge.checkpoint.torch_zip import TorchFile, read_torch_zip

__all__ = [
    "Format", "GgufFile", "Malformed", "ModelFile", "PickleReport", "Region", "SafetensorsFile", "Tensor", "TorchFile",
    "expected_formats", "open_region", "read_gguf", "read_json", "read_pickle", "read_safetensors", "read_torch_zip",
    "sniff",
]  # fmt: skip
