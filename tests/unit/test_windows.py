"""Windows of event time."""

from __future__ import annotations

import numpy as np
import pytest

from eventstudy import Window, WindowError
from eventstudy.windows import EventIndex, check_windows


@pytest.mark.parametrize(
    ("given", "start", "end"),
    [
        ((-10, 10), -10, 10),
        ([0, 0], 0, 0),
        ("-10:10", -10, 10),
        ("[-1, +1]", -1, 1),
        ("(0;5)", 0, 5),
        (" 3 : 4 ", 3, 4),
        (np.array([-2, 2]), -2, 2),
        (Window(1, 2), 1, 2),
    ],
)
def test_ways_to_write_a_window(given, start, end):
    window = Window.of(given)
    assert (window.start, window.end) == (start, end)
    assert type(window.start) is int


@pytest.mark.parametrize("window", [Window(-10, 10), Window(0, 0), Window(-250, -21)])
def test_text_reads_back(window):
    assert Window.of(str(window)) == window
    assert eval(repr(window)) == window


def test_both_ends_count():
    window = Window(-2, 1)
    assert len(window) == 4
    assert window.tau.tolist() == [-2, -1, 0, 1]
    assert str(window) == "[-2, +1]"
    assert [tau in window for tau in (-3, -2, 1, 2)] == [False, True, True, False]
    assert Window(-1, 0) in window
    assert Window(-1, 2) not in window
    assert "0" not in window


def test_columns_of_a_matrix():
    matrix = np.arange(-10, 11)
    assert matrix[Window(-10, 10).columns(Window(-1, 3))].tolist() == [-1, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((1, -1), r"Window \(1, -1\) starts after it ends. Did you mean \(-1, 1\)\?"),
        ((-1.0, 1), r"start of a window must be a whole number of sessions, not -1.0"),
        ((-1, 0.5), r"end of a window must be a whole number"),
        ((True, 1), "whole number"),
        (("-1", "1"), "whole number"),
        ((-1, None), "whole number"),
        ("ten:20", "'ten:20' is not a window"),
        ("1", "START:END"),
        ("", "is not a window"),
        ((1, 2, 3), "is not a window"),
        (5, "5 is not a window"),
        (None, "None is not a window"),
        ((float("nan"), 1), "whole number"),
    ],
)
def test_refused(given, says):
    with pytest.raises(WindowError, match=says):
        Window.of(given)


@pytest.mark.parametrize(
    ("estimation", "event", "min_obs", "says"),
    [
        (
            (-100, -10),
            (-10, 10),
            50,
            r"shares sessions with the event window \[-10, \+10\].*end it at -11 or earlier; after it, start it at 11",
        ),
        ((-100, 5), (0, 1), 50, "end it at -1 or earlier"),
        ((4, 100), (-10, 4), 50, r"\[\+4, \+100\] shares sessions"),
        ((-60, -11), (-10, 10), 51, r"has 50 sessions, fewer than min_obs=51.*lower min_obs="),
    ],
)
def test_windows_that_make_no_study(estimation, event, min_obs, says):
    with pytest.raises(WindowError, match=says):
        check_windows(Window(*estimation), Window(*event), min_obs)


def test_windows_may_touch():
    check_windows(Window(-60, -11), Window(-10, 10), 50)


def test_index_of_some_events():
    index = EventIndex(np.array([3, 1, 2]), np.array([30, 10, 20]), Window(-9, -2), Window(-1, 1))
    part = index.take(np.array([2, 0]))
    assert (part.security.tolist(), part.position.tolist(), len(part)) == ([2, 3], [20, 30], 2)
    assert index.take(slice(1, 2)).position.tolist() == [10]
    assert (part.estimation, part.event) == (index.estimation, index.event)
