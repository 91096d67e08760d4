"""What a hostile file, name or text can do: nothing but an error that says so."""

from __future__ import annotations

import ast
import gzip
import io
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import eventstudy as es
from eventstudy import cli
from eventstudy._cells import guarded, guarded_text, is_formula, plain, plain_text
from eventstudy._render import Section, Summary
from eventstudy.data import Bars, FolderProvider, PriceCache, SqlProvider, load_factors, read_sql
from eventstudy.errors import DataSourceError, EventStudyError, InputError

PACKAGE = Path(es.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FORMULAS = [
    "=cmd|' /C calc'!A0", "+1+cmd|x", "-2+3+cmd|x", "@SUM(1)", "\t=1+1", "\r=1+1", '=HYPERLINK("http://x","y")',
    "=1", "--1", "＝1+1", "＋1", "－1", "＠SUM(1)", "\n=1",
]  # fmt: skip
PLAIN = ["MSFT", "BRK-B", "^GSPC", "a=b", "1+1", "x@y", "'tis", "", "−5", " =1"]


# --- no code from data ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_runs_code_from_data(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "code", "ctypes"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]}
        else:
            names = set()
        assert not names & forbidden, f"line {node.lineno}"
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name):
            assert called.id not in {"eval", "exec", "compile", "__import__"}, f"line {node.lineno}"
        if isinstance(called, ast.Attribute):
            owner = called.value.id if isinstance(called.value, ast.Name) else ""
            assert called.attr not in {"read_pickle", "to_pickle", "popen", "eval"}, f"line {node.lineno}"
            assert (owner, called.attr) != ("os", "system")
            if owner in {"np", "numpy"} and called.attr in {"load", "save"}:
                allowed = {word.arg: word.value for word in node.keywords}
                pickles = allowed.get("allow_pickle")
                assert called.attr == "save" or (isinstance(pickles, ast.Constant) and pickles.value is False)
            if owner == "subprocess":
                assert not any(word.arg == "shell" for word in node.keywords), f"line {node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_csv_file_is_guarded(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "to_csv":
            frame = any(word.arg == "index" for word in node.keywords) and node.args  # not a result's own method
            owner = node.func.value
            guard = isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "guarded"
            assert guard or not frame, f"line {node.lineno}"


def test_a_panel_of_pickled_objects_is_refused(tmp_path) -> None:
    frame = pd.DataFrame({"A": [0.01, 0.02]}, index=pd.to_datetime(["2025-01-27", "2025-01-28"]))
    es.ReturnPanel.from_frame(frame).save(tmp_path / "panel")
    np.save(tmp_path / "panel" / "values.npy", np.array([[object()]]), allow_pickle=True)
    with pytest.raises(DataSourceError, match="does not hold a return panel"):
        es.ReturnPanel.open(tmp_path / "panel")


# --- names and paths --------------------------------------------------------------------------------------

HOSTILE = [
    "../../etc/passwd", "/etc/passwd", "..", ".", "..\\..\\x", "C:\\Windows\\x", "\\\\host\\share", "CON", "nul",
    "com1", "aux.txt", "a/b", "a\\b", "A:B", "A\u2024\u2024/B", "\uff0e\uff0e\uff0fx", "M\u0405FT", "ＭＳＦＴ",
    "a" * 300, "x*?<>|\"", "~root", "$HOME", "-rf", "%2e%2e%2f", "👾",
]  # fmt: skip


def bars(level: float = 1.0) -> Bars:
    days = pd.DatetimeIndex(["2025-01-27", "2025-01-28"], name="date")
    return Bars(pd.DataFrame({"adj_close": [level, level + 1]}, index=days), "as given")


def test_symbols_never_leave_the_cache(tmp_path) -> None:
    cache = PriceCache(tmp_path / "deep" / "cache")
    for number, symbol in enumerate(HOSTILE):
        cache.write("yahoo", symbol, bars(number + 1.0))
    everything = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.parent for path in everything} == {cache.directory}
    stems = [path.name.split(".")[0].split("-")[0].upper() for path in everything if path.suffix == ".parquet"]
    assert len(stems) == len(HOSTILE)
    assert all(re.fullmatch(r"[\w.%-]+-[0-9a-f]{12}\.parquet", p.name) for p in everything if p.suffix == ".parquet")
    assert max(len(path.name.encode()) for path in everything) < 200
    for number, symbol in enumerate(HOSTILE):
        assert cache.read("yahoo", symbol).frame["adj_close"].iloc[0] == number + 1.0
    assert cache.verify()["ok"].all()


@pytest.mark.parametrize("symbol", ["", "a\0b", "a\nb", "\x1b[2J", "a\u202eb"])
def test_symbols_that_cannot_be_shown_are_refused(tmp_path, symbol) -> None:
    with pytest.raises(InputError, match="not a symbol"):
        PriceCache(tmp_path).write("yahoo", symbol, bars())
    with pytest.raises(InputError, match="ticker"):
        es.load_prices([symbol])


def test_names_that_differ_by_case_alone_keep_their_prices(tmp_path) -> None:
    cache = PriceCache(tmp_path)
    for symbol, level in (("brk", 1.0), ("BRK", 5.0), ("Con", 7.0), ("CON", 7.0)):
        cache.write("yahoo", symbol, bars(level))
    assert cache.read("yahoo", "brk").frame["adj_close"].iloc[0] == 1.0
    assert cache.read("yahoo", "BRK").frame["adj_close"].iloc[0] == 5.0
    files = {entry.symbol: entry.file for entry in cache.entries().values()}
    assert files["brk"].casefold() != files["BRK"].casefold()
    # Equal prices under names of one spelling share a file where the file system folds case: it must survive.
    cache.clear("Con")
    assert (tmp_path / files["CON"]).is_file()
    assert cache.read("yahoo", "CON").frame["adj_close"].iloc[0] == 7.0


@pytest.mark.parametrize("file", ["../secret.parquet", "/etc/passwd", "..", "a/b.parquet"])
def test_a_manifest_that_points_outside_is_refused(tmp_path, file) -> None:
    cache = PriceCache(tmp_path / "cache")
    cache.write("yahoo", "A", bars())
    path = cache.directory / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["entries"][0]["file"] = file
    path.write_text(json.dumps(manifest))
    secret = tmp_path / "secret.parquet"
    secret.write_bytes(b"mine")
    with pytest.raises(DataSourceError, match="leaves the cache directory"):
        cache.read("yahoo", "A")
    cache.clear()
    assert secret.read_bytes() == b"mine"


def test_tickers_are_no_paths_in_a_folder_of_files(tmp_path) -> None:
    (tmp_path / "secret.csv").write_text("date,close,volume\n2025-01-27,1,1\n2025-01-28,2,1\n")
    folder = tmp_path / "prices"
    folder.mkdir()
    (folder / "MSFT.csv").write_text("date,close,volume\n2025-01-27,1,1\n2025-01-28,2,1\n")
    for ticker in ("../secret", str(tmp_path / "secret"), "..\\secret", "MSFT/../../secret", "ＭＳＦＴ", "M\u0405FT"):
        with pytest.raises(InputError, match="no ticker"):
            es.load_prices([ticker], source=FolderProvider(folder))


def test_outputs_have_fixed_names_whatever_the_events_are_called(hostile, tmp_path) -> None:
    out = tmp_path / "out"
    hostile.to_csv(out)
    hostile.to_parquet(out)
    hostile.to_excel(out / "tables.xlsx")
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert all(re.fullmatch(r"out/[a-z_]+\.(csv|parquet|json|xlsx)", name) for name in names)


@pytest.mark.parametrize("name", ["x; DROP TABLE prices", "prices--", 'p"x', "a b", "prices WHERE 1=1", "../x"])
def test_names_cannot_change_a_statement(name) -> None:
    import duckdb

    base = duckdb.connect()
    base.execute("CREATE TABLE prices AS SELECT DATE '2025-01-27' AS date, 'A' AS ticker, 1.0 AS adj_close")
    with pytest.raises(InputError, match="not the name of a table"):
        SqlProvider(name, base)
    for ticker in ("A' OR '1'='1", "A'; DROP TABLE prices; --", 'A"'):
        with pytest.raises(InputError, match="no ticker"):
            es.load_prices([ticker], source=SqlProvider("prices", base))
    assert len(read_sql("prices", base)) == 1


# --- formulas ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_quoted_and_read_back(text) -> None:
    assert is_formula(text)
    assert guarded_text(text) == "'" + text
    assert plain_text(guarded_text(text)) == text


@pytest.mark.parametrize("text", [*PLAIN, "-5", "+0.5", "-1e-5", "-1:1", "-05:00"])
def test_other_text_is_left_alone(text) -> None:
    assert guarded_text(text) == text


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("'=+-@\t\r\n1a＝ "), max_size=8) | st.text(max_size=8))
def test_quoting_is_undone_exactly(text) -> None:
    quoted = guarded_text(text)
    assert plain_text(quoted) == text
    assert not is_formula(quoted)


def test_numbers_dates_and_the_callers_frame_are_untouched() -> None:
    frame = pd.DataFrame({"n": [-1.5, np.nan], "when": pd.to_datetime(["2025-01-27", None]), "=t": ["-x", None]})
    before = frame.copy()
    safe = guarded(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert safe.columns.tolist() == ["n", "when", "'=t"]
    assert safe["n"].equals(frame["n"])
    assert safe["'=t"].dropna().tolist() == ["'-x"]
    pd.testing.assert_frame_equal(plain(safe), frame, check_dtype=False)


@pytest.fixture(scope="module")
def hostile(quiet) -> es.EventStudyResults:
    """A study in which every text that a user gives is an attack."""
    rng = np.random.default_rng(7)
    days = pd.bdate_range("2024-01-02", periods=200)
    names = ["=1+1", "@SUM(1)", "-2+3", "<script>alert(1)</script>", "</script><b>x", "a&b_%$#{}~^\\"]
    frame = pd.DataFrame(rng.normal(0, 0.01, (200, 7)), index=days, columns=[*names, "M"])
    events = pd.DataFrame(
        {
            "ticker": names,
            "timestamp": [f"{days[170 + at]:%Y-%m-%d}" for at in range(6)],
            "event_id": ["+e1", "<img src=x onerror=alert(1)>", "=e3", "e4", "e5", "e6"],
            "label": ["=HYPERLINK(1)", "<script>alert(2)</script>", "\t=1", "</title>", "\r=1", "ctrl \x07 bell"],
            "group": ["<i>g</i>", "=g", "=g", "<i>g</i>", "=g", "<i>g</i>"],
        }
    )
    study = es.EventStudy(
        es.ReturnPanel.from_frame(frame), es.Events.from_frame(events), es.MarketModel("M"),
        estimation_window=(-120, -11), event_window=(-2, 2),
    )  # fmt: skip
    return quiet(study)


def expected(res: es.EventStudyResults) -> np.ndarray:
    """CARs in the order of the files."""
    windows = [es.Window(0, 0), es.Window(-1, 1), es.Window(-2, 2)]
    return np.concatenate([res.car(window)["car"] for window in windows])


def test_no_cell_of_the_csv_files_is_a_formula(hostile, tmp_path) -> None:
    hostile.to_csv(tmp_path)
    quoted = 0
    for path in tmp_path.glob("*.csv"):
        cells = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, quotechar='"').to_numpy().ravel()
        assert not [cell for cell in cells if is_formula(cell)], path.name
        quoted += sum(cell.startswith("'") for cell in cells)
    assert quoted > 20
    car = pd.read_csv(tmp_path / "car.csv")
    np.testing.assert_allclose(car["car"], expected(hostile), rtol=1e-14)
    events = es.Events.read(tmp_path / "events.csv")
    assert events.ticker.tolist() == hostile.study.events.ticker.tolist()
    assert list(events.event_id) == list(hostile.study.events.event_id)
    assert events.label.tolist() == hostile.study.events.label.tolist()


def test_no_cell_of_the_workbook_is_a_formula(hostile, tmp_path) -> None:
    path = hostile.to_excel(tmp_path / "tables.xlsx")
    with zipfile.ZipFile(path) as archive:
        sheets = [archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/")]
    assert not any(re.search(rb"<f[ >]", sheet) for sheet in sheets)
    cells = [cell for sheet in openpyxl.load_workbook(path) for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n", "d", "b"}
    assert all(cell.quotePrefix for cell in cells if isinstance(cell.value, str) and is_formula(cell.value))
    back = pd.read_excel(path, sheet_name="car")
    assert set(back["ticker"]) == set(hostile.events["ticker"])
    np.testing.assert_allclose(back["car"], expected(hostile), rtol=1e-12)


def test_no_file_that_the_command_line_writes_holds_a_formula(hostile, tmp_path) -> None:
    prices, events = tmp_path / "prices.csv", tmp_path / "events.csv"
    levels = (1.0 + hostile.study.returns.to_frame()).cumprod()
    guarded(levels.rename_axis("date").reset_index()).to_csv(prices, index=False)
    guarded(hostile.study.events.to_frame()[["ticker", "timestamp", "event_id"]]).to_csv(events, index=False)
    options = ["--source", prices, "--estimation", "-120:-11", "--window", "-2:2", "--compare", "mean", "--excel"]
    out = tmp_path / "out"
    done = CliRunner().invoke(cli.app, ["run", str(events), "-b", "M", *map(str, options), "--out", str(out)])
    assert done.exit_code == 0, done.output
    written = {path.name: path for path in out.glob("*.csv")}
    assert {"car.csv", "comparison_car.csv"} <= set(written)
    for name, path in written.items():
        cells = pd.read_csv(path, header=None, dtype=str, keep_default_na=False).to_numpy().ravel()
        assert not [cell for cell in cells if is_formula(cell)], name
    assert "'=1+1" in written["comparison_car.csv"].read_text(encoding="utf-8")


def test_price_files_with_quoted_names_read_back(tmp_path) -> None:
    days = pd.DatetimeIndex(["2025-01-27", "2025-01-28"], name="date")
    frame = pd.DataFrame({"-X": [1.0, 2.0], "=Y": [3.0, 4.0]}, index=days)
    guarded(frame.reset_index()).to_csv(tmp_path / "prices.csv", index=False)
    assert "'=Y" in (tmp_path / "prices.csv").read_text()
    prices = es.load_prices(["=Y", "-X"], source=tmp_path / "prices.csv")
    assert prices["=Y"].tolist() == [3.0, 4.0]


# --- HTML and LaTeX ---------------------------------------------------------------------------------------


class Elements(HTMLParser):
    """Elements of a page, and what its script elements hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self._in_script = tag == "script"

    def handle_endtag(self, tag) -> None:
        self._in_script = False

    def handle_data(self, data) -> None:
        (self.scripts if self._in_script else self.words).append(data)


@pytest.fixture(scope="module")
def pages(hostile, tmp_path_factory) -> dict[bool, str]:
    """The report, interactive and still, with attacks in every text of its own."""
    attack = "</script><script>alert(9)</script>"
    out = tmp_path_factory.mktemp("pages")
    texts = {"title": f"T {attack}", "question": f"Q {attack}", "findings": {f"F {attack}": f"E {attack}"}}
    made = {}
    for interactive in (True, False):
        path = hostile.report(
            out / "r.html", **texts, marks={0: f"M {attack}"}, interactive=interactive, windows=[(0, 1)]
        )
        made[interactive] = path.read_text(encoding="utf-8")
    return made


def test_every_text_of_the_report_is_escaped(pages) -> None:
    moving, still = Elements(pages[True]), Elements(pages[False])
    for page in (moving, still):
        assert page.handlers == []
        assert not {"i", "iframe", "object", "embed", "form", "input"} & set(page.tags)
        shown = "".join(page.words)
        for text in ("T </script><script>alert(9)", "Q </script>", "F </script>", "<script>alert(1)</script>"):
            assert text in shown
    assert still.tags.count("script") == 1  # the library's own: nothing that a user gave is one
    assert "alert(" not in "".join(still.scripts)
    # the code, the library, the figures' starter, and one block of data for each figure
    figures = pages[True].count('<script type="application/json"')
    assert moving.tags.count("script") == 3 + figures
    assert moving.tags.count("img") == still.tags.count("img")


def test_the_figures_data_hold_no_tag_and_no_end_of_script(pages) -> None:
    specs = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', pages[True], re.DOTALL)
    assert len(specs) >= 4

    def texts(value) -> list[str]:
        if isinstance(value, dict | list):
            parts = value.values() if isinstance(value, dict) else value
            return [item for part in parts for item in texts(part)]
        return [value] if isinstance(value, str) else []

    for spec in specs:
        assert "<" not in spec
        # Plotly reads a few tags in texts: only the library's own line breaks and bold letters may be there
        tags = {tag for item in texts(json.loads(spec)) for tag in re.findall(r"<[^>]*>", item)}
        assert tags <= {"<br>", "<b>", "</b>", "<extra>", "</extra>"}
    assert any("&lt;script&gt;alert(1)" in item for spec in specs for item in texts(json.loads(spec)))


def test_html_of_notebooks_is_escaped(hostile) -> None:
    for text in (
        hostile.summary((0, 1))._repr_html_(),
        hostile.study.events._repr_html_(),
        Summary("<script>", [("<b>", "<i>")], [Section("<u>", pd.DataFrame({"<s>": ["<q>"]}), notes=["<p2>"])], ["<x>"])
        ._repr_html_(),
    ):  # fmt: skip
        assert not {"script", "img", "b", "i", "u", "s", "q", "p2", "x"} & set(Elements(text).tags)


def test_latex_is_escaped() -> None:
    frame = pd.DataFrame({"a_b": ["50 %", "$x$ & y", r"\input{/etc/passwd}", "~^#{}", "a\nb", "<x>"]})
    text = Summary("t", [], [Section("s", frame)]).to_latex()
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert rows == [
        r"a\_b \\", r"50 \% \\", r"\$x\$ \& y \\", r"\textbackslash{}input\{/etc/passwd\} \\",
        r"\textasciitilde{}\textasciicircum{}\#\{\} \\", r"a b \\", r"$<$x$>$ \\",
    ]  # fmt: skip


# --- bombs ------------------------------------------------------------------------------------------------


@pytest.fixture
def small_limit(monkeypatch) -> None:
    monkeypatch.setenv("EVENTSTUDY_MAX_BYTES", "1000000")


def bomb(kind: str, folder: Path) -> Path:
    header = b"date,ticker,timestamp,adj_close\n"
    line = b"2025-01-27,A,2025-01-27,1\n"
    content = {
        "long.csv": header + line * 50_000,
        "packed.csv.gz": gzip.compress(header + b"0" * 30_000_000),
        "wide.csv": b"date,timestamp,ticker" + b",A" * 70_000 + b"\n",
        "cells.csv": b"date,timestamp,ticker" + b"," * 900 + b"\n" + b"\n".join([b"1,2,3" + b"," * 900] * 200),
        "field.csv": header + b'2025-01-27,A,2025-01-27,"' + b"x" * 900_000 * 2,
        "lines.csv": header + b"\n" * 900_000,
    }
    path = folder / kind
    if kind.endswith(".parquet"):
        text = pa.array(["x" * 100_000]).dictionary_encode()
        column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200_000, np.int32)), text.dictionary)
        table = pa.table({"date": column, "ticker": column, "timestamp": column, "adj_close": column})
        pq.write_table(table, path, compression="zstd")
        return path
    path.write_bytes(content[kind])
    return path


BOMBS = ["long.csv", "packed.csv.gz", "wide.csv", "cells.csv", "field.csv", "lines.csv", "dictionary.parquet"]


@pytest.mark.parametrize("kind", BOMBS)
def test_files_that_unfold_are_refused(kind, tmp_path, small_limit) -> None:
    path = bomb(kind, tmp_path)
    assert path.stat().st_size < 3_000_000
    for read in (
        lambda: es.load_prices(["A"], source=path),
        lambda: es.Events.read(path),
        lambda: es.data.read_crsp(path),
    ):
        with pytest.raises(DataSourceError, match=r"limit is|at most|larger than"):
            read()


def test_tables_beside_the_prices_have_the_limit_too(tmp_path, small_limit) -> None:
    path = bomb("long.csv", tmp_path)
    for read in (es.EventCalendar.read, es.SharesOutstanding.read, load_factors):
        with pytest.raises(DataSourceError):
            read(path)


def test_an_archive_is_unpacked_no_further_than_the_limit(tmp_path) -> None:
    path = tmp_path / "F-F_CSV.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", b"0" * 200_000_000)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(DataSourceError, match=r"limit|large"):
        load_factors(path)


def test_an_archive_never_writes_where_its_names_say(tmp_path) -> None:
    path = tmp_path / "f.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.csv", "date,Mkt-RF\n20250127,0.1\n")
    with pytest.raises(EventStudyError):
        load_factors(path, units="percent", start="2026-01-01")
    assert [p.name for p in tmp_path.parent.rglob("evil.csv")] == []


@pytest.mark.parametrize(
    "content",
    [b"x = " + b"[" * 5000, b"x = " + b"9" * 6000, b'x = "' + b"y" * (1 << 21) + b'"', b"\xff\xfe", b"x = {a = 1"],
    ids=["nested", "digits", "huge", "encoding", "unclosed"],
)
def test_study_files_that_are_bombs_are_refused(tmp_path, content) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    done = CliRunner().invoke(cli.app, ["run", "--config", str(path)])
    assert done.exit_code in (1, 2)
    assert done.exception is None or isinstance(done.exception, SystemExit | EventStudyError)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device file")
def test_devices_are_no_price_files(tmp_path) -> None:
    link = tmp_path / "endless.csv"
    link.symlink_to("/dev/zero")
    with pytest.raises(DataSourceError, match="not a regular file"):
        es.load_prices(["A"], source=link)
    with pytest.raises(DataSourceError):
        es.Events.read(link)
    study = tmp_path / "study.toml"
    study.symlink_to("/dev/zero")
    assert CliRunner().invoke(cli.app, ["run", "--config", str(study)]).exit_code in (1, 2)


# --- fuzz -------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text("date,ticker\n0123456789-.=+'\"A", max_size=200).map(str.encode))
def test_no_file_raises_anything_but_an_error_of_the_library(tmp_path_factory, content) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "x.csv"
    path.write_bytes(b"date,ticker,timestamp,adj_close\n" + content)
    for read in (lambda: es.load_prices(["A"], source=path), lambda: es.Events.read(path)):
        try:
            read()
        except EventStudyError:
            pass
        except es.EventStudyWarning:
            pass


def test_a_parquet_of_bytes_that_are_none(tmp_path) -> None:
    path = tmp_path / "x.parquet"
    out = io.BytesIO()
    pq.write_table(pa.table({"date": ["2025-01-27"], "ticker": ["A"], "adj_close": [1.0]}), out)
    path.write_bytes(out.getvalue()[:-20] + b"\0" * 20)
    with pytest.raises(DataSourceError, match="Parquet"):
        es.load_prices(["A"], source=path)
