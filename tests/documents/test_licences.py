from __future__ import annotations

from pathlib import Path

import pytest

from weighbridge.documents.licences import recognise_licence

APACHE = (Path(__file__).parents[2] / "LICENSE").read_text(encoding="utf-8")
MIT = """MIT License

Copyright (c) 2024-2025 Acme Research, Inc. <acme@hub.test>

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (APACHE, "apache-2.0"),
        (APACHE.replace("\n", "\r\n").replace("  ", "\t"), "apache-2.0"),
        (MIT, "mit"),
        (MIT.replace("MIT License\n\n", ""), "mit"),
        (MIT.replace('"', "”"), "mit"),
    ],
)
def test_a_text_that_is_a_licence_word_for_word_is_recognised(text: str, name: str) -> None:
    assert recognise_licence(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Apache License",
        "Licensed under the Apache License, Version 2.0",
        APACHE.replace("royalty-free", "royalty-bearing"),
        "The following applies except in the EU:\n" + APACHE,
        MIT.replace("without restriction", "with restriction"),
        MIT + "\nNot for commercial use.\n",
        MIT.replace("hub.test>", "hub.test>. No commercial use"),
        MIT.replace("Acme Research, Inc.", "Acme. You may only run it on Sundays."),
        "x" * 100_000 + APACHE,
    ],
)
def test_any_doubt_is_a_no(text: str) -> None:
    assert recognise_licence(text) is None
