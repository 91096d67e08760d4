"""Tables of DuckDB and of SQLAlchemy's databases as sources: embedded ones, in memory and on disk."""

from __future__ import annotations

import warnings

import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

import eventstudy as es
from eventstudy.data import SqlProvider, load_prices, read_sql
from eventstudy.errors import DataSourceError, EventStudyWarning, InputError

ROWS = pd.DataFrame(
    {
        "date": pd.to_datetime(["2025-01-28", "2025-01-27", "2025-01-29"] * 2),
        "symbol": ["A"] * 3 + ["it's"] * 3,
        "Adj Close": [2.0, 1.0, 3.0, 20.0, 10.0, 30.0],
        "volume": [5, 5, 5, 6, 6, 6],
        "secret": ["x"] * 6,
    }
)
WIDE = pd.DataFrame({"date": ROWS["date"][:3], "A": [2.0, 1.0, 3.0], "B-1": [5.0, 4.0, 6.0]})


def expected(name: str = "A") -> list[float]:
    return {"A": [1.0, 2.0, 3.0], "it's": [10.0, 20.0, 30.0]}[name]


@pytest.fixture(params=["duckdb", "sqlite"])
def url(request, tmp_path) -> str:
    """URL of a database on disk with the long and the wide table."""
    path = tmp_path / f"prices.{request.param}"
    if request.param == "duckdb":
        with duckdb.connect(str(path)) as base:
            for name, frame in (("long", ROWS), ("wide", WIDE)):
                base.register("frame", frame)
                base.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")
                base.unregister("frame")
    else:
        engine = sa.create_engine(f"sqlite:///{path}")
        ROWS.to_sql("long", engine, index=False)
        WIDE.to_sql("wide", engine, index=False)
        engine.dispose()
    return f"{request.param}:///{path}"


def test_a_url_is_a_source(url) -> None:
    prices = load_prices(["it's", "A"], source=f"{url}?table=long")
    assert prices["A"].tolist() == expected()
    assert prices["it's"].tolist() == expected("it's")
    assert prices.info["provider"].tolist() == ["sql", "sql"]
    assert prices.field("volume")["A"].tolist() == [5.0, 5.0, 5.0]
    wide = load_prices(["B-1"], source=f"{url}?table=wide", start="2025-01-28")
    assert wide["B-1"].tolist() == [5.0, 6.0]


def test_connections_and_engines_are_left_open(url) -> None:
    if url.startswith("duckdb"):
        base = duckdb.connect(url.removeprefix("duckdb:///"), read_only=True)
        pending = base.execute("SELECT 42")
        assert load_prices("A", source=SqlProvider("long", base))["A"].tolist() == expected()
        assert pending.fetchone() == (42,)
        base.close()
    else:
        engine = sa.create_engine(url)
        assert load_prices("A", source=SqlProvider("long", engine))["A"].tolist() == expected()
        with engine.connect() as connection:
            assert load_prices("A", source=SqlProvider("main.long", connection))["A"].tolist() == expected()
            assert connection.execute(sa.text("SELECT 1")).scalar() == 1
        engine.dispose()


def test_queries_bind_their_values(url) -> None:
    mark = "$name" if url.startswith("duckdb") else ":name"
    frame = read_sql(f"SELECT * FROM long WHERE symbol = {mark}", url, {"name": "it's"})
    assert sorted(frame["Adj Close"]) == [10.0, 20.0, 30.0]
    assert len(read_sql("long", url)) == 6


def test_what_is_read_serves_events_and_panels(url) -> None:
    frame = read_sql("SELECT symbol AS ticker, date FROM long", url)
    assert len(es.Events.from_frame(frame[frame["ticker"] == "A"])) == 3
    panel = es.ReturnPanel.from_prices(load_prices(["A", "it's"], source=f"{url}?table=long"))
    np.testing.assert_allclose(panel.values[:, 0], [1.0, 1.0])


@pytest.mark.parametrize("table", ["nowhere", "lon", "other.long"])
def test_absent_tables_are_named(url, table) -> None:
    with pytest.raises(DataSourceError):
        load_prices("A", source=f"{url}?table={table}")
    with pytest.raises(DataSourceError, match=r"no table 'nowhere'.*It has: long, wide"):
        read_sql("nowhere", url)


def test_absent_tickers_and_files_are_named(url, tmp_path) -> None:
    for table in ("long", "wide"):
        with pytest.raises(InputError, match="no ticker 'ZZ'"):
            load_prices("ZZ", source=f"{url}?table={table}")
    kind = url.split(":")[0]
    with pytest.raises(DataSourceError, match="there is no file"):
        load_prices("A", source=f"{kind}:///{tmp_path / 'absent.db'}?table=long")
    assert not (tmp_path / "absent.db").exists()  # no empty database is left behind
    with pytest.raises(InputError, match="no table is named"):
        load_prices("A", source=url)


def test_a_file_that_is_no_database(tmp_path) -> None:
    (tmp_path / "x.db").write_text("not a database" * 1000)
    for kind in ("duckdb", "sqlite"):
        with pytest.raises(DataSourceError):
            load_prices("A", source=f"{kind}:///{tmp_path / 'x.db'}?table=long")


def test_nothing_is_written_through_a_url(url) -> None:
    if url.startswith("duckdb"):
        with pytest.raises(DataSourceError):
            read_sql("CREATE TABLE y AS SELECT 1 AS a", url)
    assert len(read_sql("long", url)) == 6


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@127.0.0.1:1/db?table=long",
        "postgresql://me:hunter2@127.0.0.1:1/db",
        "postgresql://me:a@hunter2@127.0.0.1:1/db?table=long",
        "postgresql://me:hunter2?x@127.0.0.1:1/db?table=long",
        "postgresql://127.0.0.1:1/db?password=hunter2&table=long",
        "postgresql://[::1/db?password=hunter2&table=long",
    ],
)
def test_passwords_do_not_stand_in_messages(url) -> None:
    with pytest.raises((DataSourceError, InputError)) as refused:
        load_prices("A", source=url)
    assert "hunter2" not in str(refused.value)


def test_a_database_on_another_machine_is_not_asked_offline() -> None:
    with pytest.raises(DataSourceError, match="offline"):
        load_prices("A", source="postgresql://127.0.0.1:1/db?table=long", offline=True)


def test_more_tickers_than_one_statement_binds() -> None:
    names = [f"T{at:04d}" for at in range(601)]
    base = duckdb.connect()
    rows = pd.DataFrame({"date": np.repeat(pd.to_datetime(["2025-01-27", "2025-01-28"]), len(names)),
                         "ticker": names * 2, "adj_close": np.arange(1.0, 2 * len(names) + 1)})  # fmt: skip
    base.register("rows", rows)
    base.execute("CREATE TABLE t AS SELECT * FROM rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EventStudyWarning)
        prices = load_prices(names, source=SqlProvider("t", base))
    assert prices.shape == (2, 601)
    assert prices["T0600"].tolist() == [601.0, 1202.0]


def test_what_is_no_connection() -> None:
    for wrong in (object(), 5, "prices.db", None):
        with pytest.raises((InputError, DataSourceError)):
            read_sql("long", wrong)
