"""Long files of returns in the layout of CRSP: letters for missing returns, and delisting returns."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from eventstudy._frames import as_pandas
from eventstudy._typing import BoolArray, FloatArray
from eventstudy.data.providers import FileProvider
from eventstudy.errors import DataSourceError, EventStudyWarning, InputError

__all__ = ["Delisting", "crsp_source", "is_crsp", "read_crsp", "return_index"]

Delisting: TypeAlias = Literal["given", "shumway", "ignore"] | float

_NAMES: Final = {
    "dlycaldt": "date",
    "dlyret": "ret",
    "mthcaldt": "date",
    "mthret": "ret",
    "hexcd": "exchcd",
    "primaryexch": "exchcd",
}
_INDICES: Final = ("vwretd", "vwretx", "ewretd", "ewretx", "sprtrn")
# A letter, alone or after SAS's point, says why there is no return; in binary files a number below -1 does.
_LETTERS: Final = frozenset("ABCDEPST")
_CODES: Final = (-44.0, -55.0, -66.0, -77.0, -88.0, -99.0)
_EXCHANGES: Final = {"1": "NYSE", "2": "AMEX", "3": "NASDAQ", "N": "NYSE", "A": "AMEX", "Q": "NASDAQ"}
_SHUMWAY: Final = {"NYSE": -0.30, "AMEX": -0.30, "NASDAQ": -0.55}
_SHOWN: Final = 3


def read_crsp(
    table: Any,
    delistings: Any = None,
    *,
    delisting: Delisting = "given",
    security: str = "permno",
    max_bytes: int | None = None,
) -> pd.DataFrame:
    """Returns of a CRSP-like file, delisting returns compounded in, as a long frame.

    :meth:`eventstudy.ReturnPanel.from_crsp` makes a panel of it.

    Parameters
    ----------
    table : str, Path or DataFrame of pandas or polars, pyarrow Table
        CSV or Parquet file, or frame, with ``permno``, ``date`` and ``ret`` (in any case; ``DlyCalDt`` and
        ``DlyRet`` of the newer format too). Dates as YYYY-MM-DD, YYYYMMDD, YYYY/MM/DD, 02JAN2020 or date columns. Read
        if there: ``dlret``, ``dlstcd``, ``dlstdt``, ``exchcd``, and the returns of indices, ``vwretd``, ``ewretd``,
        ``sprtrn`` and their like, which become securities of these names.
    delistings : as table, optional
        The delistings where they are in a table of their own: ``permno``, ``dlstdt``, ``dlstcd``, ``dlret``.
    delisting : {"given", "shumway", "ignore"} or float
        ``"given"`` uses the delisting returns that there are, and warns of delistings for bad performance (code 500
        or 520 to 584) that have none. ``"shumway"`` assumes −30 % for these on NYSE and AMEX (Shumway 1997) and −55 %
        on Nasdaq (Shumway and Warther 1999), by ``exchcd``; a number assumes that return on every exchange.
        ``"ignore"`` leaves all delisting returns out.
    security : str
        Column that names securities. A ticker passes from firm to firm over the years; a permno does not.
    max_bytes : int, optional
        Largest size of a file once unpacked; default ``$EVENTSTUDY_MAX_BYTES``, else 1 GiB.

    Returns
    -------
    pandas.DataFrame
        ``ticker`` (text), ``date``, ``ret`` (decimal simple return, NaN where missing), ``delisting_return`` (what was
        compounded into ``ret``, NaN where nothing was), ``assumed`` (bool: the delisting return is an assumption).

    Raises
    ------
    InputError
        A column is absent, a date or return cannot be read, a return is below −1 and no code, or a security has two
        different returns on one date; or ``"shumway"`` without the columns that it needs.
    DataSourceError
        The file cannot be read.

    Warns
    -----
    EventStudyWarning
        Delistings for bad performance are left without a return: results are then biased upwards.

    Notes
    -----
    Letters (B: off the exchange, C: no valid price before, and so on) and the codes −44 to −99 are missing returns. The
    delisting date is that of the last price, so the delisting return follows that day's: the day's becomes
    ``(1 + ret)(1 + dlret) − 1``, or ``dlret`` where ``ret`` is missing. A delisting date without a row, such as the
    middle of a month in a monthly file, is laid on the next date of the table. Rows that repeat another (a day with
    two distributions) are read once. ``DlyRet`` of the newer format has delisting returns in it already.

    References
    ----------
    Shumway, T. (1997). The delisting bias in CRSP data. Journal of Finance 52, 327-340.
    Shumway, T. and Warther, V. (1999). The delisting bias in CRSP's Nasdaq data. Journal of Finance 54, 2361-2379.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"permno": 10001, "date": [20200102, 20200103], "ret": ["C", "-0.5"], "dlret": ["", "-0.2"],
    ...      "dlstcd": ["", "552"]}
    ... )
    >>> read_crsp(frame)[["ticker", "ret", "delisting_return"]]
      ticker  ret  delisting_return
    0  10001  NaN               NaN
    1  10001 -0.6              -0.2
    """
    _check_choice(delisting)
    where, plain = _frame(table, max_bytes)
    newer = "dlyret" in plain.columns or "mthret" in plain.columns
    plain = _renamed(plain, where, (security.lower(), "date", "ret"))
    if newer and not (isinstance(delisting, str) and delisting in ("given", "ignore")):
        raise InputError(
            f"{where}: returns of the newer format have delisting returns in them already.",
            remedy='Leave delisting="given".',
        )
    rows = pd.DataFrame(
        {
            "ticker": _names(plain[security.lower()], where, security),
            "date": _dates(plain["date"], where, "date"),
            "ret": _returns(plain["ret"], where, "ret"),
            "exchange": _exchange(plain),
        }
    )
    gone = _delistings(plain, rows, delistings, security, max_bytes, where)
    market = _indices(plain, rows, where)
    rows = _once(rows[["ticker", "date", "ret", "exchange"]], where)
    rows["delisting_return"], rows["assumed"] = np.nan, False
    if gone is not None and delisting != "ignore":
        rows = _compounded(rows, _assumed(gone, rows, delisting, where))
    out = pd.concat([rows.drop(columns="exchange"), *market], ignore_index=True)
    return out.sort_values(["ticker", "date"], kind="stable", ignore_index=True).astype({"assumed": bool})


def crsp_source(table: Any, rows: pd.DataFrame) -> str:
    """What a panel says of its source."""
    name = Path(table).name if isinstance(table, str | Path) else "frame"
    used, assumed = int(rows["delisting_return"].notna().sum()), int(rows["assumed"].sum())
    return f"CRSP-like {name}; {used} delisting returns, {assumed} of them assumed"


def is_crsp(columns: Sequence[Hashable]) -> bool:
    """Whether a header is that of a CRSP-like file of returns."""
    names = {_NAMES.get(name := str(column).strip().lower(), name) for column in columns}
    return {"permno", "date", "ret"} <= names


def return_index(table: pd.DataFrame, symbols: Sequence[str], where: str) -> pd.DataFrame:
    """Long table of total-return prices from a CRSP-like table: 100 at the first row of each security.

    Securities are found by permno, or by ticker where only one had it. Where a return is missing there is no price, so
    that the return after a gap, which is over several sessions, is missing too; and the first return of the table has
    no price before it.

    Raises
    ------
    DataSourceError
        A ticker that several securities had.
    """
    tickers = {str(name).strip().lower(): name for name in table.columns}.get("ticker")
    permno = next(name for name in table.columns if str(name).strip().lower() == "permno")
    rows = read_crsp(table)
    known = set(rows["ticker"])
    spelled: dict[str, str] = {}
    for symbol in symbols:
        if symbol in known or tickers is None:
            continue
        held = _names(table.loc[table[tickers].astype("str").str.strip() == symbol, permno], where, "permno").unique()
        if len(held) > 1:
            raise DataSourceError(
                f"{where}: {symbol} was the ticker of {', '.join(held)}.",
                remedy="Ask for the permno.",
                ticker=symbol,
                candidates=list(held),
            )
        if len(held):
            spelled[held[0]] = symbol
    growth = (1.0 + rows["ret"]).fillna(1.0).groupby(rows["ticker"]).cumprod()
    base = ~rows["ticker"].duplicated()
    price = (100.0 * growth).where(rows["ret"].notna() | base)
    names = rows["ticker"].replace(spelled)
    lost = rows[(rows["ret"] == -1.0) & names.isin(list(symbols))]
    if len(lost):
        first = lost.iloc[0]
        warnings.warn(
            f"{where}: {first['ticker']} loses all on {first['date']:%Y-%m-%d}, which no price can show: the return is "
            "missing. Use ReturnPanel.from_crsp.",
            EventStudyWarning,
            stacklevel=6,
        )
    return pd.DataFrame({"date": rows["date"], "ticker": names, "adj_close": price.where(price > 0)})


def _check_choice(delisting: Delisting) -> None:
    if isinstance(delisting, str) and delisting in ("given", "shumway", "ignore"):
        return
    if isinstance(delisting, int | float) and not isinstance(delisting, bool) and -1.0 <= delisting < np.inf:
        return
    raise InputError(
        f"delisting={delisting!r} is not an option.",
        remedy='Use "given", "shumway", "ignore" or a return such as -0.3.',
    )


def _frame(table: Any, max_bytes: int | None) -> tuple[str, pd.DataFrame]:
    if isinstance(table, str | Path):
        frame, where = FileProvider(table, max_bytes=max_bytes)._load()[0], str(table)
    else:
        frame, where = as_pandas(table, "returns"), "the table"
    if isinstance(frame.columns, pd.MultiIndex):
        raise InputError(f"{where}: several header levels.", remedy="Flatten the columns.")
    if isinstance(frame.index, pd.MultiIndex) or frame.index.name is not None:
        again = [str(name) for name in frame.index.names if name in frame.columns]
        if again:
            raise InputError(f"{where}: {again[0]!r} is in the index and a column.", remedy="Drop one of the two.")
        frame = frame.reset_index()
    frame = frame.set_axis([str(name).strip().lower() for name in frame.columns], axis=1)
    if frame.empty:
        raise InputError(f"{where}: no rows.", remedy="Check how it was selected.")
    return where, frame.reset_index(drop=True)


def _renamed(frame: pd.DataFrame, where: str, needed: Sequence[str]) -> pd.DataFrame:
    """``frame`` with the legacy names; a name that is there already is not taken a second time."""
    there = set(frame.columns)
    frame = frame.rename(columns={old: new for old, new in _NAMES.items() if old in there and new not in there})
    if not frame.columns.is_unique:
        again = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{where}: column {again!r} occurs more than once.", remedy="Keep one of them.")
    for name in needed:
        if name not in frame.columns:
            raise InputError(
                f"{where}: no column {name!r}; it has {', '.join(frame.columns)}.",
                remedy="A CRSP-like table has permno, date and ret.",
                column=name,
            )
    return frame


def _text(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.astype("str").where(column.notna(), "").str.strip()


def _names(column: pd.Series[Any], where: str, what: str) -> pd.Series[Any]:
    """Securities as text; whole numbers without a point."""
    text = _text(column).str.replace(r"\.0+$", "", regex=True)
    blank = np.flatnonzero(text == "")
    if blank.size:
        raise InputError(f"{where}: data row {blank[0] + 1} has no {what}.", remedy="Drop or fill that row.")
    return text


def _dates(column: pd.Series[Any], where: str, what: str) -> pd.Series[Any]:
    """Dates in the ways that CRSP's files and their exports write them; NaT where blank."""
    if column.dtype.kind == "M":
        found = column.dt.tz_localize(None).dt.normalize()
    else:
        text = _text(column).str.replace(r"\.0+$", "", regex=True)
        filled = text[text != ""]
        found = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
        shapes = {r"\d{8}": "%Y%m%d", r"\d{4}/\d\d?/\d\d?": "%Y/%m/%d", r"\d\d?[A-Za-z]{3}\d{4}": "%d%b%Y"}
        for shape, form in {r"\d{4}-\d\d-\d\d(?:[T ]00:00.*)?": "ISO8601", **shapes}.items():
            mine = filled[filled.str.fullmatch(shape)]
            days = mine.str[:10]  # the date as written; a midnight in some zone stays that date
            found[mine.index] = pd.to_datetime(days, format=form, errors="coerce").to_numpy("datetime64[us]")
        wrong = filled.index[found[filled.index].isna()]
        if len(wrong):
            raise InputError(
                f"{where}: {text[wrong[0]]!r} in data row {wrong[0] + 1}, column {what!r}, is not a date.",
                remedy="Write dates as YYYY-MM-DD or YYYYMMDD.",
                row=int(wrong[0]) + 1,
            )
    if what == "date" and found.isna().any():
        at = int(np.flatnonzero(found.isna())[0])
        raise InputError(f"{where}: data row {at + 1} has no date.", remedy="Drop or fill that row.", row=at + 1)
    out: pd.Series[Any] = found.astype("datetime64[us]")
    return out


def _returns(column: pd.Series[Any], where: str, what: str) -> FloatArray:
    """Decimal returns; letters and codes are missing."""
    if column.dtype.kind in "fiu":
        values = column.to_numpy(np.float64, copy=True)
    else:
        text = _text(column).str.removeprefix(".").where(lambda cell: cell.isin(_LETTERS), _text(column))
        missing = text.isin(_LETTERS) | text.str.lower().isin(["", ".", "nan", "na", "none", "null", "<na>"])
        values = pd.to_numeric(text.mask(missing), errors="coerce").to_numpy(np.float64, na_value=np.nan).copy()
        wrong = np.flatnonzero(np.isnan(values) & ~missing.to_numpy())
        if wrong.size:
            raise InputError(
                f"{where}: {text.iloc[wrong[0]]!r} in data row {wrong[0] + 1}, column {what!r}, is no return.",
                remedy="Returns are decimals; the letters A to E, P, S and T are missing returns.",
                row=int(wrong[0]) + 1,
            )
    values[np.isin(values, _CODES)] = np.nan
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero((values < -1.0) | np.isinf(values))
    if wrong.size:
        raise InputError(
            f"{where}: the return {values[wrong[0]]:g} in data row {wrong[0] + 1}, column {what!r}, cannot be one.",
            remedy="Returns are decimals (0.01 is 1 %).",
            row=int(wrong[0]) + 1,
        )
    return values


def _exchange(frame: pd.DataFrame) -> pd.Series[Any]:
    """NYSE, AMEX or NASDAQ; missing where it is another, or unknown. 31 to 33 are their issues not yet issued."""
    if "exchcd" not in frame.columns:
        return pd.Series(None, index=frame.index, dtype=object)
    code = _text(frame["exchcd"]).str.replace(r"\.0+$", "", regex=True).str.replace(r"^3([123])$", r"\1", regex=True)
    return code.str.upper().map(_EXCHANGES).astype(object)


def _delistings(
    plain: pd.DataFrame, rows: pd.DataFrame, given: Any, security: str, max_bytes: int | None, where: str
) -> pd.DataFrame | None:
    """One row for each delisting: ticker, date, dlret, code."""
    if given is not None:
        where, table = _frame(given, max_bytes)
        table = _renamed(table, where, (security.lower(), "dlstdt", "dlret"))
        names, day = _names(table[security.lower()], where, security), _dates(table["dlstdt"], where, "dlstdt")
    elif "dlret" in plain.columns or "dlstcd" in plain.columns:
        table, names, day = plain, rows["ticker"], rows["date"]
        if "dlstdt" in plain.columns:
            day = _dates(plain["dlstdt"], where, "dlstdt").fillna(day)
    else:
        return None
    code = _text(table["dlstcd"]) if "dlstcd" in table.columns else pd.Series("", index=table.index)
    dlret = _returns(table["dlret"], where, "dlret") if "dlret" in table.columns else np.full(len(table), np.nan)
    out = pd.DataFrame({"ticker": names, "date": day, "dlret": dlret})
    out["code"] = pd.to_numeric(code, errors="coerce").to_numpy(np.float64)
    out = out[(out["dlret"].notna() | (out["code"] >= 200)) & out["date"].notna()]  # 100 to 199: still listed
    out = out.drop_duplicates().reset_index(drop=True)  # files that repeat it on every row of a security
    twice = out.loc[out["ticker"].duplicated(), "ticker"]
    if len(twice):
        raise InputError(
            f"{where}: {twice.iloc[0]} is delisted more than once.",
            remedy="Add the column dlstdt, or give delistings= as a table of their own; name securities by permno.",
            ticker=twice.iloc[0],
        )
    return out


def _once(rows: pd.DataFrame, where: str) -> pd.DataFrame:
    """Rows without those that repeat another."""
    rows = rows.drop_duplicates(["ticker", "date", "ret"]).reset_index(drop=True)
    twice = np.flatnonzero(rows.duplicated(["ticker", "date"]))
    if twice.size:
        row = rows.iloc[twice[0]]
        raise InputError(
            f"{where}: {row['ticker']} has two different returns on {row['date']:%Y-%m-%d}.",
            remedy="Keep one row per security and date; name securities by permno.",
            ticker=row["ticker"],
            date=row["date"],
        )
    return rows


def _assumed(gone: pd.DataFrame, rows: pd.DataFrame, delisting: Delisting, where: str) -> pd.DataFrame:
    """Delistings with a return, given or assumed; those for bad performance that have none are warned of."""
    gone = gone[gone["ticker"].isin(rows["ticker"].unique())].copy()
    poor = _for_performance(gone["code"].to_numpy(np.float64)) & gone["dlret"].isna().to_numpy()
    value: Any = np.nan
    if delisting == "shumway":
        if poor.any() and rows["exchange"].isna().all():
            raise InputError(
                f'{where}: delisting="shumway" needs the exchange of each security.',
                remedy="Add the column exchcd, or give one return, such as delisting=-0.3.",
            )
        last = rows.dropna(subset=["exchange"]).groupby("ticker")["exchange"].last()
        value = gone["ticker"].map(last).map(_SHUMWAY).to_numpy(np.float64)
    elif not isinstance(delisting, str):
        value = float(delisting)
    gone["assumed"] = poor & ~np.isnan(np.broadcast_to(value, len(gone)))
    gone["dlret"] = np.where(gone["assumed"], value, gone["dlret"])
    left = gone[poor & gone["dlret"].isna().to_numpy()]
    if len(left):
        shown = ", ".join(
            f"{row.ticker} ({row.date:%Y-%m-%d}, code {row.code:.0f})" for row in left[:_SHOWN].itertuples()
        )
        more = f", … ({len(left)} in all)" if len(left) > _SHOWN else ""
        warnings.warn(
            f"{where}: delisted for bad performance without a delisting return: {shown}{more}. Returns without their "
            'losses are biased upwards; delisting="shumway" assumes -30 % on NYSE and AMEX and -55 % on Nasdaq.',
            EventStudyWarning,
            stacklevel=3,
        )
    return gone[gone["dlret"].notna()]


def _for_performance(code: FloatArray) -> BoolArray:
    """Codes of Shumway (1997): reason not known, and insolvency, too low a price, fees not paid and their like."""
    poor: BoolArray = (code == 500) | ((code >= 520) & (code <= 584))
    return poor


def _compounded(rows: pd.DataFrame, gone: pd.DataFrame) -> pd.DataFrame:
    """Rows with the delisting returns in them; a delisting after the last date of the table is out of range."""
    days = np.sort(rows["date"].unique())
    at = days.searchsorted(gone["date"].to_numpy())
    gone = gone[at < len(days)].assign(date=days[at[at < len(days)]])
    gone = gone.drop_duplicates(["ticker", "date"])
    found = rows.drop(columns=["delisting_return", "assumed"]).merge(
        gone[["ticker", "date", "dlret", "assumed"]], on=["ticker", "date"], how="outer", validate="one_to_one"
    )
    there = found["dlret"].notna()
    total = (1.0 + found["ret"].fillna(0.0)) * (1.0 + found["dlret"]) - 1.0
    found["ret"] = found["ret"].where(~there, total)
    found["assumed"] = found["assumed"].eq(True)
    return found.rename(columns={"dlret": "delisting_return"})


def _indices(plain: pd.DataFrame, rows: pd.DataFrame, where: str) -> list[pd.DataFrame]:
    """Returns of indices, which a file repeats on every row of a date, as securities."""
    out = []
    for name in _INDICES:
        if name in plain.columns:
            part = pd.DataFrame(
                {"ticker": name, "date": rows["date"], "ret": _returns(plain[name], where, name), "exchange": None}
            )
            part = _once(part[part["ret"].notna()], where).drop(columns="exchange")
            out.append(part.assign(delisting_return=np.nan, assumed=False))
    return out
