import pytest
import yaml

from weighbridge.yaml_text import MAX_NUMBER_CHARACTERS, FastLoader, PlainLoader


@pytest.mark.parametrize("loader", [PlainLoader, FastLoader])
def test_numbers_are_numbers_and_overlong_ones_stay_text(loader):
    overlong = "9" * (MAX_NUMBER_CHARACTERS + 1)
    sixties = ":".join(["1"] * 100_000)
    read = yaml.load(f"a: 12\nb: 1.5\nc: {overlong}\nd: {sixties}\ne: !!int '{sixties}'\nf: 1:1:1.5\n", Loader=loader)
    assert (read["a"], read["b"], read["f"]) == (12, 1.5, 3661.5)
    assert read["c"] == overlong
    assert read["d"] == read["e"] == sixties
