import pytest

from weighbridge.http.web import words
from weighbridge.release.names import AUDIENCES, ReleaseState, Stage, StageState


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (269_060_552, "269.1 MB"),
        (999_949_999, "999.9 MB"),
        (999_950_000, "1.0 GB"),
        (15_234_567_890, "15.2 GB"),
        (4 * 10**15, "4.0 PB"),
    ],
)
def test_sizes_are_decimal_with_one_digit(size_bytes, text):
    assert words.size(size_bytes) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [("2026-11-24T13:41:07Z", "24 Nov 2026, 13:41 UTC"), ("2026-12-01T01:30:00+02:00", "30 Nov 2026, 23:30 UTC")],
)
def test_times_are_said_in_utc(text, said):
    assert words.when(text) == said


def test_milliseconds_become_rfc_3339():
    assert words.rfc3339(1_795_527_667_123) == "2026-11-24T13:41:07Z"


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (None, ""),
        ("2026-11-24T13:00:00.440Z", "0.4 s"),
        ("2026-11-24T13:00:00.049Z", "under 0.1 s"),
        ("2026-11-24T13:02:05Z", "2 min 5 s"),
        ("2026-11-24T15:07:00Z", "2 h 7 min"),
    ],
)
def test_how_long_it_took(ended, said):
    assert words.took("2026-11-24T13:00:00Z", ended) == said


def test_a_dial_shows_where_it_stands_and_what_was_asked():
    steps = words.dial_steps("internal", "gated")
    assert [step.name for step in steps] == list(AUDIENCES)
    assert [step.classes for step in steps] == ["open", "open here", "asked", "asked target", ""]
    assert [step.said for step in steps] == ["", "now", "", "asked", ""]


def test_a_dial_that_stands_as_asked_shows_nothing_asked():
    steps = words.dial_steps("public", "public")
    assert [step.classes for step in steps] == ["open", "open", "open", "open", "open here"]
    assert steps[-1].said == "now, as asked"


def test_every_state_and_stage_has_its_words():
    assert set(words.RELEASE_LOOKS) == set(ReleaseState)
    assert set(words.STAGE_LOOKS) == set(StageState)
    assert list(words.STAGES) == list(Stage)
    assert set(words.WEIGHTS_WORDS) == set(words.INFERENCE_WORDS) == set(AUDIENCES)


def test_backticks_become_code_and_everything_else_is_escaped():
    assert words.ticked("run `weighbridge <x>` & wait") == "run <code>weighbridge &lt;x&gt;</code> &amp; wait"
    assert words.ticked("one ` alone") == "one ` alone"
