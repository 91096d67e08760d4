"""Figures that answer to the pointer, as Plotly makes them; they draw only numbers already in the result."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

import numpy as np

from eventstudy import _render
from eventstudy.errors import InputError
from eventstudy.windows import Window

if TYPE_CHECKING:
    from eventstudy.results import EventStudyResults

__all__ = ["Interactive", "library", "make"]

# the colours of the other figures: Okabe and Ito (2008) without yellow
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
_DASHES = ("solid", "dash", "dot", "dashdot")
_FADED = 0.16
_TAU = "{}s from the event"
_MOST = 60  # securities whose paths and rows can still be told apart
_LEAST = 8  # CARs that make a distribution


@dataclass(frozen=True, slots=True)
class Interactive:
    """One figure.

    Parameters
    ----------
    heading : str
        What it shows.
    alt : str
        The same in words, for those who do not see it.
    note : str
        What the letters in it mean; empty without.
    spec : str
        Plotly's description of it, as JSON that is safe inside a page.
    height : int
        Pixels.
    """

    heading: str
    alt: str
    note: str
    spec: str
    height: int


def library() -> str:
    """Source of plotly.js, which the page carries.

    Raises
    ------
    InputError
        If Plotly is not installed.
    """
    text: str = _plotly("plotly.offline").get_plotlyjs()
    return text.replace("</script", "<\\/script")


def _plotly(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(
            "Interactive figures need the package plotly, which is not installed.",
            remedy='Install it: pip install "abnormal-returns[report]"; or ask for interactive=False.',
        ) from None


def make(
    res: EventStudyResults, windows: Sequence[Window], marks: Mapping[int, str] | None = None
) -> list[Interactive]:
    """Every figure of a report.

    Parameters
    ----------
    res : EventStudyResults
        What to draw.
    windows : sequence of Window
        Windows that the chart of securities can be switched between; the first is shown.
    marks : mapping of int to str, optional
        Sessions to mark, with a few words each.
    """
    go = _plotly("plotly.graph_objects")
    made = [_caar(go, res, marks or {})]
    if len(res) <= _MOST:
        made += [_securities(go, res, windows), _paths(go, res, marks or {}), _heatmap(go, res, marks or {})]
    if len(res) >= _LEAST:
        made.append(_distribution(go, res, windows))
    return made


def _finish(figure: Any, heading: str, alt: str, height: int, note: str = "", **layout: Any) -> Interactive:
    axis = {"gridcolor": "#E6E6E6", "zerolinecolor": "#777777", "automargin": True, "title": {"standoff": 8}}
    axis |= {"ticks": "outside", "tickcolor": "rgba(0,0,0,0)"}  # keeps the first labels of both axes apart
    figure.update_layout(
        template="none",
        font={"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 13, "color": "#1A1A1A"},
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        height=height,
        hoverlabel={"bgcolor": "white", "font": {"color": "#1A1A1A"}},
        legend={"orientation": "h", "yanchor": "top", "y": -0.22, "x": 0, "itemsizing": "constant"},
        paper_bgcolor="white",
        plot_bgcolor="white",
    )
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_layout(**layout)
    # "<" inside a script element could end it
    text = json.dumps(json.loads(figure.to_json()), allow_nan=False).replace("<", "\\u003c")
    return Interactive(heading, alt, note, text, height)


def _rgba(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def _text(value: object) -> str:
    """User's text: Plotly reads a few tags in labels, and it is to read none."""
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _names(res: EventStudyResults) -> list[str]:
    """Ticker of each event, with its session where it has several."""
    tickers = res.events["ticker"].astype(str)
    twice = tickers.duplicated(keep=False)
    panel = res.study.returns
    sessions = [panel.label(at) for at in res.fit.index.position.tolist()]
    return [
        _text(f"{ticker} {day}" if again else ticker)
        for ticker, day, again in zip(tickers, sessions, twice, strict=True)
    ]


def _mark(figure: Any, marks: Mapping[int, str], span: Window) -> str:
    """Lines at marked sessions, with letters that fit on any screen; returns what the letters mean."""
    if 0 in span:
        figure.add_vline(x=0, line={"color": "#555555", "width": 1})
    told = []
    for letter, (tau, words) in zip(ascii_uppercase, _marked(marks, span), strict=False):
        if tau:
            figure.add_vline(x=tau, line={"color": "#555555", "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=tau, y=1, yref="paper", yanchor="bottom", text=f"<b>{letter}</b>", showarrow=False,
            font={"size": 12, "color": "#555555"}, hovertext=_text(words),
        )  # fmt: skip
        told.append(f"{letter} (session {_tau(tau)}): {words}")
    return "; ".join(told) + "." if told else ""


def _tau(tau: int) -> str:
    return f"{tau:+d}".replace("-", "−") if tau else "0"


def _marked(marks: Mapping[int, str], span: Window) -> list[tuple[int, str]]:
    inside = [(int(tau), words) for tau, words in marks.items() if isinstance(tau, int | np.integer)]
    return sorted((tau, words) for tau, words in inside if tau in span)


def _caar(go: Any, res: EventStudyResults, marks: Mapping[int, str]) -> Interactive:
    parts = {name: res.select(group=name) for name in res.groups} | {"All security-events": res}
    figure = go.Figure()
    alone = len(parts) == 1
    for at, (name, part) in enumerate(parts.items()):
        path = part.caar_path()
        colour = _PALETTE[0] if alone else ("#1A1A1A" if part is res else _PALETTE[at % len(_PALETTE)])
        tau, caar = path.index.to_numpy(), path["caar"].to_numpy()
        low, high = path["ci_lower"].to_numpy(), path["ci_upper"].to_numpy()
        shown = True if part is res else "legendonly" if len(parts) > 7 else True
        figure.add_scatter(
            x=np.concatenate([tau, tau[::-1]]), y=_clean(np.concatenate([high, low[::-1]])), fill="toself",
            fillcolor=_rgba(colour, _FADED if part is res else _FADED / 2), line={"width": 0}, hoverinfo="skip",
            legendgroup=_text(name), showlegend=False, visible=shown if part is res else "legendonly",
        )  # fmt: skip
        words = [f"{_render.percent(a)} ({_render.percent(b)} to {_render.percent(c)})" for a, b, c in zip(
            caar, low, high, strict=True)]  # fmt: skip
        figure.add_scatter(
            x=tau, y=_clean(caar), name=f"{_text(name)} (n = {int(path['n'].max())})",
            legendgroup=_text(name) + " line", mode="lines+markers", marker={"size": 5},
            line={"color": colour, "width": 2.4 if part is res else 1.6},
            customdata=words, hovertemplate=f"{_text(name)}, session %{{x:+d}}<br>%{{customdata}}<extra></extra>",
            visible=shown,
        )  # fmt: skip
    event = res.fit.index.event
    note = _mark(figure, marks, event)
    last = res.caar_path()["caar"].iloc[-1]
    level = _level(res)
    return _finish(
        figure,
        f"Cumulative average abnormal return with {level} interval",
        f"Lines of the mean cumulative abnormal return from session {_tau(event.start)} to {_tau(event.end)}, of "
        f"{'each group and of ' if not alone else ''}all {len(res)} security-events; it ends at "
        f"{_render.percent(last)}. The numbers are in the tables.",
        430,
        note,
        xaxis={"title": {"text": _TAU.format(res.study.returns.unit)}},
        yaxis={"title": {"text": "CAAR"}, "tickformat": ".1%"},
    )


def _level(res: EventStudyResults) -> str:
    return f"{res.study.confidence:.0%}".replace("%", " %")


def _clean(values: Any) -> list[float | None]:
    """Numbers as JSON knows them."""
    return [None if not np.isfinite(value) else float(value) for value in np.asarray(values, dtype=np.float64)]


def _securities(go: Any, res: EventStudyResults, windows: Sequence[Window]) -> Interactive:
    figure = go.Figure()
    names, others, note = _names(res), res.confounders, "A filled marker says that the interval excludes zero"
    note += f"; a diamond, another dated event{others.near} in the window." if others is not None else "."
    for at, window in enumerate(windows):
        also = [""] * len(res) if others is None else others.texts(res, window)
        frame = res.car(window).assign(name=names, also=also).sort_values("car", kind="stable", na_position="first")
        sure = (frame["ci_lower"] > 0) | (frame["ci_upper"] < 0)
        words = [
            f"{_render.percent(row.car)} ({_render.percent(row.ci_lower)} to {_render.percent(row.ci_upper)})<br>"
            f"t = {_render.number(row.t)}, p = {_text(_render.p_value(row.p_value))}"
            f"{'<br>also: ' + _text(row.also) if row.also else ''}"
            for row in frame.itertuples()
        ]
        half = (frame["ci_upper"] - frame["car"]).to_numpy()
        figure.add_scatter(
            x=_clean(frame["car"]), y=frame["name"].tolist(), mode="markers", visible=at == 0,
            error_x={"type": "data", "array": _clean(half), "color": _PALETTE[0], "thickness": 1.4, "width": 0},
            marker={"size": 9, "color": [_PALETTE[0] if yes else "white" for yes in sure],
                    "line": {"color": _PALETTE[0], "width": 1.6},
                    "symbol": ["diamond" if text else "circle" for text in frame["also"]]},
            customdata=words, hovertemplate="%{y}: %{customdata}<extra></extra>", showlegend=False,
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": "#555555", "width": 1})
    menu = [
        {"label": str(window), "method": "update", "args": [{"visible": [other == window for other in windows]}]}
        for window in windows
    ]
    height = max(260, 110 + 24 * len(res))
    return _finish(
        figure,
        f"Cumulative abnormal return by security, {_level(res)} interval",
        f"Cumulative abnormal return of each of {len(res)} security-events over {windows[0]} with its interval; a "
        "filled marker says that the interval excludes zero. The numbers are in the table of securities.",
        height,
        note,
        xaxis={"title": {"text": "CAR"}, "tickformat": ".1%"},
        yaxis={"type": "category", "tickfont": {"size": 12}},
        updatemenus=[{"buttons": menu, "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "pad": {"b": 4}}]
        if len(windows) > 1
        else [],
    )


def _paths(go: Any, res: EventStudyResults, marks: Mapping[int, str]) -> Interactive:
    figure = go.Figure()
    event = res.fit.index.event
    cars = np.column_stack([res.car(event.start, tau)["car"] for tau in event.tau.tolist()])
    groups = res.groups
    which = res.car(event)["group"].tolist() if groups else [None] * len(res)
    for row, (name, group, path) in enumerate(zip(_names(res), which, cars, strict=True)):
        at = groups.index(group) if group in groups else 0 if groups else row
        known = group in groups
        line = {"width": 1.6, "color": _PALETTE[at % len(_PALETTE)]}
        line["dash"] = _DASHES[at // len(_PALETTE) % len(_DASHES)]
        figure.add_scatter(
            x=event.tau.tolist(), y=_clean(path), name=name, mode="lines", line=line,
            legendgroup=_text(group) if known else name,
            legendgrouptitle={"text": _text(group), "font": {"size": 12}} if known else None,
            hovertemplate=f"{name}, session %{{x:+d}}: %{{y:+.2%}}<extra></extra>",
        )  # fmt: skip
    note = _mark(figure, marks, event)
    return _finish(
        figure,
        "Cumulative abnormal return of each security",
        f"Lines of the cumulative abnormal return of {len(res)} security-events from session {_tau(event.start)} to "
        f"{_tau(event.end)}{', coloured by group' if groups else ''}. The numbers are in abnormal_returns.csv.",
        400 + 21 * max((which.count(name) for name in groups), default=len(res) // 3),
        note,
        xaxis={"title": {"text": _TAU.format(res.study.returns.unit)}},
        yaxis={"title": {"text": "CAR"}, "tickformat": ".0%"},
        legend={"orientation": "h", "y": -0.2, "x": 0, "groupclick": "toggleitem", "font": {"size": 11}},
    )


def _heatmap(go: Any, res: EventStudyResults, marks: Mapping[int, str]) -> Interactive:
    event = res.fit.index.event
    ar, sar = res.abnormal_returns.to_numpy(), res.sar.to_numpy()
    finite = np.abs(ar[np.isfinite(ar)])
    most = float(np.quantile(finite, 0.98)) if len(finite) else 1.0
    columns = np.clip(res.fit.index.position[:, None] + event.tau, 0, res.study.returns.n_sessions - 1)
    panel = res.study.returns
    form = "%a %d %b %Y" + (" %H:%M %Z" if panel.frequency == "intraday" else "")
    days = panel.sessions[columns.ravel()].strftime(form).to_numpy().reshape(columns.shape)
    words = [[f"{day}<br>{_render.percent(a)}, t = {_render.number(s)}" for day, a, s in zip(*row, strict=True)]
             for row in zip(days, ar, sar, strict=True)]  # fmt: skip
    figure = go.Figure(
        go.Heatmap(
            z=[_clean(row) for row in ar], x=event.tau.tolist(), y=_names(res), customdata=words, zmin=-most, zmax=most,
            # red to blue through white as on paper, told apart by all forms of colour blindness
            colorscale=[[0, "#B2182B"], [0.25, "#F4A582"], [0.5, "#F7F7F7"], [0.75, "#92C5DE"], [1, "#2166AC"]],
            colorbar={"tickformat": ".1%", "thickness": 12, "title": {"text": "AR", "side": "top"}}, xgap=1, ygap=1,
            hovertemplate="%{y}, session %{x:+d}, %{customdata}<extra></extra>",
        )
    )  # fmt: skip
    told = "; ".join(f"session {_tau(tau)}: {words}" for tau, words in _marked(marks, event))
    return _finish(
        figure,
        "Abnormal return by security and session",
        f"Abnormal return of {len(res)} security-events on {len(event)} sessions as colours, red negative and blue "
        f"positive. The numbers are in abnormal_returns.csv.",
        max(260, 110 + 20 * len(res)),
        f"Known news: {told}." if told else "",
        xaxis={"title": {"text": _TAU.format(res.study.returns.unit)}, "showgrid": False, "zeroline": False},
        yaxis={"type": "category", "autorange": "reversed", "showgrid": False, "tickfont": {"size": 12}},
    )


def _distribution(go: Any, res: EventStudyResults, windows: Sequence[Window]) -> Interactive:
    figure = go.Figure()
    for at, window in enumerate(windows):
        car = res.car(window)["car"].dropna()
        figure.add_histogram(
            x=car.tolist(), name=str(window), marker={"color": _rgba(_PALETTE[at % len(_PALETTE)], 0.75)},
            visible=True if at == 0 else "legendonly", hovertemplate="%{x}: %{y} events<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": "#555555", "width": 1})
    first = res.car(windows[0])["car"].dropna()
    return _finish(
        figure,
        "Distribution of the cumulative abnormal returns",
        f"Histogram of the cumulative abnormal returns of {len(first)} security-events over {windows[0]}: median "
        f"{_render.percent(first.median())}, lowest {_render.percent(first.min())}, highest "
        f"{_render.percent(first.max())}.",
        340,
        xaxis={"title": {"text": "CAR"}, "tickformat": ".1%"},
        yaxis={"title": {"text": "security-events"}},
        barmode="overlay",
        bargap=0.04,
        showlegend=True,
    )
