"""Long tables into panels, against pandas' own pivot; saved panels."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import eventstudy as es


@pytest.fixture
def table() -> pd.DataFrame:
    """CRSP-like rows in no order, a fifth of them absent."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "permno": np.repeat(np.arange(10_001, 10_021), 300),
            "date": np.tile(pd.bdate_range("2020-01-01", periods=300), 20),
            "ret": rng.standard_normal(6000) * 0.02,
        }
    )
    frame.loc[17, "ret"] = np.nan
    return frame.sample(frac=0.8, random_state=1).reset_index(drop=True)


def pivoted(table: pd.DataFrame) -> pd.DataFrame:
    wide = table.pivot(index="date", columns="permno", values="ret")
    wide.columns = wide.columns.astype(str).astype(object)
    return wide


def assert_equals_pivot(panel: es.ReturnPanel, table: pd.DataFrame) -> None:
    wide = pivoted(table)
    assert list(panel.tickers) == list(wide.columns)
    np.testing.assert_array_equal(panel.sessions.to_numpy(), wide.index.to_numpy())
    np.testing.assert_array_equal(panel.values, wide.to_numpy().T)


FORMS = {
    "frame": lambda table, path: table,
    "text dates": lambda table, path: table.assign(date=table["date"].dt.strftime("%Y-%m-%d")),
    "whole-number dates": lambda table, path: table.assign(date=table["date"].dt.strftime("%Y%m%d").astype(int)),
    "dates": lambda table, path: table.assign(date=table["date"].dt.date),
    "arrow table": lambda table, path: pa.Table.from_pandas(table),
    "dictionary of text": lambda table, path: table.assign(permno=table["permno"].astype(str).astype("category")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("saved", [False, True])
def test_every_form_of_table_gives_the_pivot(table: pd.DataFrame, tmp_path: Path, form: str, saved: bool) -> None:
    save = tmp_path / "panel" if saved else None
    panel = es.ReturnPanel.from_long(FORMS[form](table, tmp_path), ticker="permno", save=save)
    assert_equals_pivot(panel, table)
    assert (panel.path is not None) == saved


def test_parquet_file_and_directory(table: pd.DataFrame, tmp_path: Path) -> None:
    table.to_parquet(tmp_path / "one.parquet")
    assert_equals_pivot(es.ReturnPanel.from_long(tmp_path / "one.parquet", ticker="permno"), table)
    parts = tmp_path / "parts"
    parts.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(table)), 5)):
        table.iloc[rows].to_parquet(parts / f"{number}.parquet")
    assert_equals_pivot(es.ReturnPanel.from_long(parts, ticker="permno"), table)
    assert_equals_pivot(es.ReturnPanel.from_long(ds.dataset(str(parts)), ticker="permno"), table)


def test_real_prices_in_long_form(sample_panel: es.ReturnPanel) -> None:
    long = sample_panel.to_frame().melt(ignore_index=False, value_name="ret").reset_index()
    again = es.ReturnPanel.from_long(long.sample(frac=1.0, random_state=0))
    pd.testing.assert_frame_equal(
        again.to_frame()[list(sample_panel.tickers)], sample_panel.to_frame(), check_index_type=False
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: pd.concat([t, t.iloc[[5]]]), "two rows on 20"),
        (lambda t: t.rename(columns={"ret": "r"}), "no column 'ret'; it has"),
        (lambda t: t.assign(ret="n/a"), "does not hold numbers"),
        (lambda t: t.assign(date="29/01/2025"), "cannot be read"),
        (lambda t: t.iloc[:0], "empty"),
        (lambda t: t.assign(ret=np.inf), r"10001 has the simple return inf on 2020-01-0"),
        (lambda t: t.assign(ret=-2.0), r"simple return -2"),
        (lambda t: t.assign(permno=1.5), "text or whole numbers"),
        (lambda t: t.assign(date=t["date"].where(t.index != 3)), "Row 3 of the table has no date"),
        (lambda t: t.to_dict(), "long table was expected, not dict"),
    ],
)
def test_what_cannot_be_a_panel_is_refused(table: pd.DataFrame, tmp_path: Path, spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(es.InputError, match=message):
        es.ReturnPanel.from_long(spoil(table), ticker="permno", save=tmp_path / "panel")
    assert not (tmp_path / "panel" / "values.npy").exists()  # half a panel is not left behind


def test_duplicates_across_batches_are_found(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventstudy.long._BATCH", 100)
    assert_equals_pivot(es.ReturnPanel.from_long(table, ticker="permno"), table)
    doubled = pd.concat([table, table.iloc[[0]]])
    name, day = table["permno"][0], table["date"][0]
    with pytest.raises(es.InputError, match=f"{name} has two rows on {day:%Y-%m-%d}"):
        es.ReturnPanel.from_long(doubled, ticker="permno")


def test_missing_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(es.DataSourceError, match=r"no file or directory .*absent\.parquet"):
        es.ReturnPanel.from_long(tmp_path / "absent.parquet")
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(es.DataSourceError, match="not Parquet"):
        es.ReturnPanel.from_long(tmp_path / "text.parquet")


def test_a_saved_panel_equals_the_one_in_memory(sample_panel: es.ReturnPanel, tmp_path: Path) -> None:
    saved = sample_panel.save(tmp_path / "panel")
    assert saved == sample_panel
    assert saved.fingerprint() == sample_panel.fingerprint()
    assert saved.source == sample_panel.source == "bundled sample of Yahoo Finance data (adjusted close)"
    assert isinstance(saved.values, np.memmap)
    assert es.ReturnPanel.open(tmp_path / "panel") == sample_panel
    for panel in (saved, sample_panel):
        copy = pickle.loads(pickle.dumps(panel))
        assert copy == sample_panel
        assert copy.path == panel.path
    assert len(pickle.dumps(saved)) < 500  # a path, not a matrix


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("panel.json", "[]"), ("panel.json", "[" * 100_000), ("panel.json", "{"),
        ("values.npy", "U5"), ("values.npy", "c16"), ("values.npy", "M8[D]"), ("values.npy", ">f8"),
        ("securities.parquet", [["A"]]), ("sessions.parquet", [[1]]), ("sessions.parquet", ["x"]),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_directory_that_holds_something_else_is_refused(sample_panel, tmp_path, file, content) -> None:
    path = tmp_path / "panel"
    sample_panel.save(path)
    if file == "panel.json":
        (path / file).write_text(content)
    elif file == "values.npy":
        np.save(path / file, np.zeros(sample_panel.values.shape).astype(content))
    else:
        pq.write_table(pa.table({"ticker": content, "date": content}), path / file)
    with pytest.raises(es.DataSourceError, match="does not hold a return panel"):
        es.ReturnPanel.open(path)


def test_a_panel_of_no_kind_is_refused(sample_panel, tmp_path) -> None:
    sample_panel.save(tmp_path / "panel")
    (tmp_path / "panel" / "panel.json").write_text('{"version": 1}')
    with pytest.raises(es.InputError, match="not a kind of return"):
        es.ReturnPanel.open(tmp_path / "panel")


def test_what_is_no_saved_panel_is_refused(sample_panel: es.ReturnPanel, tmp_path: Path) -> None:
    with pytest.raises(es.DataSourceError, match="does not hold a return panel"):
        es.ReturnPanel.open(tmp_path)
    sample_panel.save(tmp_path / "panel")
    facts = tmp_path / "panel" / "panel.json"
    facts.write_text(facts.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(es.DataSourceError, match="version 2"):
        es.ReturnPanel.open(tmp_path / "panel")
    sample_panel.save(tmp_path / "panel")
    with (tmp_path / "panel" / "values.npy").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(es.DataSourceError, match="does not hold a return panel"):
        es.ReturnPanel.open(tmp_path / "panel")
    with pytest.raises(es.DataSourceError, match="Cannot write the panel"):
        sample_panel.save(facts)
