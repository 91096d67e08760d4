"""Factor files in the French library's layout, plain tables, and factors on the sessions of a panel."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from french_files import DAILY, FIVE, MOMENTUM, MONTHLY, written, zipped

import eventstudy as es
from eventstudy.data import Factors, factor_files, load_factors


def test_daily_file_of_the_library(tmp_path) -> None:
    factors = load_factors(written(tmp_path / "F-F_Research_Data_Factors_daily.CSV", DAILY))
    assert isinstance(factors, Factors)
    assert list(factors.columns) == ["Mkt-RF", "SMB", "HML", "RF"]
    assert [f"{day:%Y-%m-%d}" for day in factors.index] == ["2025-01-27", "2025-01-28", "2025-01-29"]
    np.testing.assert_allclose(factors["Mkt-RF"], [-0.0150, 0.0085, -0.0046], rtol=1e-15)
    np.testing.assert_allclose(factors["SMB"], [0.0025, np.nan, 0.0031], rtol=1e-15)
    np.testing.assert_allclose(factors["HML"], [0.011, -0.007, np.nan], rtol=1e-15)
    np.testing.assert_allclose(factors["RF"], 0.00017, rtol=1e-15)
    assert (factors.frequency, factors.smb) == ("daily", ("ff3",))
    assert factors.source == "F-F_Research_Data_Factors_daily.CSV (CRSP 202601)"
    assert factors.iloc[1:].frequency == "daily"  # slices keep the provenance
    assert factors.iloc[1:].source == factors.source


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n".join(text.splitlines()[4:8]) + "\n",  # saved again without its prose
        lambda text: "\ufeff" + text,
        lambda text: text.replace("    0.017", "0.017").replace("   ", ""),
    ],
    ids=["crlf", "bare", "mark", "unpadded"],
)
def test_variants_of_the_layout_are_the_same_file(tmp_path, change) -> None:
    plain = load_factors(written(tmp_path / "a.csv", DAILY))
    pd.testing.assert_frame_equal(load_factors(written(tmp_path / "b.csv", change(DAILY))), plain)
    (tmp_path / "c.zip").write_bytes(zipped(DAILY))
    pd.testing.assert_frame_equal(load_factors(tmp_path / "c.zip"), plain)
    (tmp_path / "d.csv").write_bytes(DAILY.replace("T", "\x96T", 1).encode("latin-1"))
    pd.testing.assert_frame_equal(load_factors(tmp_path / "d.csv"), plain)


def test_monthly_file_ends_before_its_annual_section(tmp_path) -> None:
    factors = load_factors(written(tmp_path / "F-F_Research_Data_Factors.csv", MONTHLY))
    assert [f"{day:%Y-%m-%d}" for day in factors.index] == ["2024-12-31", "2025-01-31", "2025-02-28"]
    np.testing.assert_allclose(factors["Mkt-RF"], [-0.011, 0.022, -0.033], rtol=1e-15)
    assert (factors.frequency, factors.source) == ("monthly", "F-F_Research_Data_Factors.csv (CRSP 202505)")


def test_weekly_file_is_told_by_its_dates(tmp_path) -> None:
    weeks = DAILY.replace("20250127", "20250110").replace("20250128", "20250117").replace("20250129", "20250124")
    assert load_factors(written(tmp_path / "weekly.csv", weeks)).frequency == "weekly"


def test_five_factor_smb_has_a_name_of_its_own(tmp_path) -> None:
    factors = load_factors(written(tmp_path / "five.csv", FIVE))
    assert list(factors.columns) == ["Mkt-RF", "SMB5", "HML", "RMW", "CMA", "RF"]
    assert factors.smb == ("ff5",)
    assert load_factors(tmp_path / "five.csv", smb="ff3").smb == ("ff3",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DAILY.split("0.31")[0], r"line 8 \(20250129\) has 2 numbers; 4 were expected"),
        (DAILY.split("250129")[0], r"line 8 \(20\) has 0 numbers; 4 were expected"),
        (DAILY.split("29,   -0.46")[0], r"line 8 \(202501\) has 0 numbers; 4 were expected"),
        (DAILY.replace("20250128", "20250230"), "20250230 is not a date"),
        (DAILY.replace("20250128", "20250126"), "2025-01-26 follows 2025-01-27"),
        (DAILY.replace("20250128", "20250127"), "2025-01-27 follows 2025-01-27"),
        (DAILY.replace("0.85", "0..85"), r"'0..85' in data row 2 \(2025-01-28\), column 'Mkt-RF', is not a number"),
        (DAILY.split("20250127")[0], "no row with a date"),
        (DAILY.replace("SMB", "HML"), "the factor HML stands twice"),
    ],
    ids=["cut", "cut in a date", "cut at a month", "date", "order", "twice", "number", "empty", "columns"],
)
def test_damaged_files_are_refused(tmp_path, text, message) -> None:
    with pytest.raises(es.EventStudyError, match=message):
        load_factors(written(tmp_path / "f.csv", text))


def test_archives_that_are_none(tmp_path, monkeypatch) -> None:
    path = tmp_path / "f.zip"
    two = io.BytesIO()
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("a.csv", DAILY)
        archive.writestr("b.CSV", DAILY)
    broken = bytearray(zipped(DAILY))
    broken[60] ^= 0xFF
    for content, message in (
        (two.getvalue(), "holds 2 CSV files"),
        (zipped(DAILY, "a.txt"), "holds 0 CSV files"),
        (b"PK\x03\x04 but no more", "not a readable ZIP"),
        (bytes(broken), "not a readable ZIP"),
    ):
        path.write_bytes(content)
        with pytest.raises(es.DataSourceError, match=message):
            load_factors(path)
    bomb = zipped("0," * 1_000_000)
    assert len(bomb) < 10_000
    path.write_bytes(bomb)
    monkeypatch.setattr(factor_files, "_MOST", 1_000_000)
    with pytest.raises(es.DataSourceError, match="more than 1,000,000 bytes"):
        load_factors(path)
    monkeypatch.setattr(factor_files, "_MOST", 1_000)
    with pytest.raises(es.DataSourceError, match="more than 1,000 bytes"):
        load_factors(path)


PLAIN = """\
date,mkt_rf,smb,hml,umd,my factor,rf
2025-01-27,-1.50,0.25,1.10,0.3,0.1,0.017
2025-01-28,0.85,,-0.70,0.1,0.2,0.017
"""


def test_plain_table_in_stated_units(tmp_path) -> None:
    path = written(tmp_path / "mine.csv", PLAIN)
    factors = load_factors(path, units="percent")
    assert list(factors.columns) == ["Mkt-RF", "SMB", "HML", "Mom", "RF", "my factor"]
    np.testing.assert_allclose(factors.iloc[0], [-0.015, 0.0025, 0.011, 0.003, 0.00017, 0.001], rtol=1e-15)
    assert np.isnan(factors["SMB"].iloc[1])
    with pytest.raises(es.InputError, match=r"Mkt-RF is -1.5 on 2025-01-27, more than 100 % as a decimal"):
        load_factors(path, units="decimal")
    digits = written(tmp_path / "digits.csv", PLAIN.replace("2025-01-27", "20250127").replace("2025-01-28", "20250128"))
    pd.testing.assert_frame_equal(load_factors(digits, units="percent"), factors)


def test_units_are_told_aloud_or_not_at_all(tmp_path) -> None:
    with pytest.warns(
        es.EventStudyWarning, match=r'taken as percent, from Mkt-RF of 1.18 at the median. Say units="percent"'
    ):
        assert load_factors(written(tmp_path / "p.csv", PLAIN))["Mkt-RF"].iloc[0] == -0.015
    decimal = "date,mkt_rf,rf\n2025-01-27,-0.0150,0.00017\n2025-01-28,0.0085,0.00017\n"
    with pytest.warns(es.EventStudyWarning, match="taken as decimal"):
        assert load_factors(written(tmp_path / "d.csv", decimal))["Mkt-RF"].iloc[0] == -0.015
    with pytest.raises(es.InputError, match=r"returns of 0\.08 at the median may be decimals or per cent"):
        load_factors(written(tmp_path / "u.csv", PLAIN.replace("-1.50", "-0.08").replace("0.85", "0.08")))
    with pytest.raises(es.InputError, match='Drop units="decimal"'):
        load_factors(written(tmp_path / "l.csv", DAILY), units="decimal")


def test_units_that_the_numbers_contradict_are_refused() -> None:
    """A year of factors in per cent cannot pass for decimals, nor the reverse; nor an annual rate for a daily one."""
    days = pd.bdate_range("2024-01-01", periods=250)
    rng = np.random.default_rng(3)
    decimal = pd.DataFrame({"Mkt-RF": rng.normal(0, 0.008, 250), "SMB": rng.normal(0, 0.004, 250)}, index=days)
    decimal["RF"] = 0.0002
    panel = es.ReturnPanel.from_frame(pd.DataFrame({"A": rng.normal(0, 0.02, 250)}, index=days))
    for frame, message in (
        (decimal * 100, r"Mkt-RF is 0\.\d+ at the median, which cannot be a decimal return"),
        (decimal[["SMB"]] * 100, r"SMB is 0\.\d+ at the median, which cannot be a decimal return"),
        (decimal.assign(RF=0.02), "RF is 0.02 at the median, which no daily riskless rate is: more than 0.3% a period"),
        (decimal.assign(RF=0.05), "divide it by the number of periods in a year"),
    ):
        with pytest.raises(es.InputError, match=message):
            panel.with_factors(frame)
    with pytest.raises(es.InputError, match=r"Mkt-RF is 0\.00\d+ at the median, which cannot be per cent"):
        load_factors(decimal, units="percent")
    mine = decimal.rename(columns={"Mkt-RF": "surprise"}) * [30, 1, 1]
    assert panel.with_factors(mine).n_securities == 4  # a factor of one's own need not be of a return's usual size


def test_a_library_file_that_holds_decimals_is_refused(tmp_path) -> None:
    rows = "\n".join(f"{day:%Y%m%d},   0.0081,   0.0002" for day in pd.bdate_range("2024-01-01", periods=30))
    with pytest.raises(es.InputError, match=r"f\.csv: Mkt-RF is 0\.0081 at the median, which cannot be per cent"):
        load_factors(written(tmp_path / "f.csv", f"prose\n\n,Mkt-RF,RF\n{rows}\n"))


def test_frames_and_ranges() -> None:
    days = pd.to_datetime(["2025-01-27", "2025-01-28", "2025-01-29"])
    frame = pd.DataFrame({"MKT-RF": [0.01, 0.02, 0.03], "QMJ": [0.0, 0.001, 0.002]}, index=days)
    factors = load_factors(frame, start="2025-01-28", end="2025-01-28", units="decimal")
    assert factors.to_numpy().tolist() == [[0.02, 0.001]]
    assert list(frame.columns) == ["MKT-RF", "QMJ"]  # the caller's frame is unchanged
    with pytest.raises(
        es.DataSourceError, match=r"no factor return from 2025-02-01 to …; the data have 2025-01-27 to 2025-01-29"
    ):
        load_factors(frame, start="2025-02-01", units="decimal")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"what": "carhardt"}, "'carhardt' is no set of factors. Did you mean 'carhart'"),
        ({"what": "ff3+"}, "is no set of factors"),
        ({"what": "ff5", "frequency": "weekly"}, "no weekly file for 'ff5'"),
        ({"what": "ff3", "frequency": "1d"}, "frequency='1d'"),
        ({"what": "ff3", "smb": "SMB"}, "smb='SMB'"),
        ({"what": "ff3", "source": "fama"}, 'neither "french" nor a folder'),
        ({"what": "ff3", "start": "2025-02-01", "end": "2025-01-01"}, "is after end"),
        ({"what": "ff3", "offline": True, "refresh": True}, "Drop refresh"),
        ({"what": "no/such/file.csv"}, "cannot be read"),
        ({"what": "f.csv", "units": "bps"}, "units='bps'"),
        ({"what": pd.DataFrame({"rf": [0.1]}, index=pd.to_datetime(["2025-01-02"])), "units": "bps"}, "units='bps'"),
    ],
)
def test_wrong_requests_are_refused(arguments, message) -> None:
    with pytest.raises(es.EventStudyError, match=message):
        load_factors(**arguments)


def test_sets_from_a_folder(tmp_path) -> None:
    written(tmp_path / "F-F_Research_Data_Factors_daily.CSV", DAILY)
    written(tmp_path / "F-F_Momentum_Factor_daily.csv", MOMENTUM)
    (tmp_path / "F-F_Research_Data_5_Factors_2x3_daily_CSV.zip").write_bytes(zipped(FIVE.replace("0.25", "0.30")))
    carhart = load_factors("carhart", source=tmp_path)
    assert list(carhart.columns) == ["Mkt-RF", "SMB", "HML", "Mom", "RF"]
    assert len(carhart) == 4
    assert np.isnan(carhart["Mom"].iloc[0])  # momentum begins a day later here, and ends one later
    assert np.isnan(carhart["RF"].iloc[3])
    np.testing.assert_allclose(carhart["Mom"].iloc[1:], [0.0141, -0.0062, 0.002], rtol=1e-15)
    assert carhart.source == "Kenneth R. French Data Library (CRSP 202512,202601)"
    both = load_factors("ff3 + FF5+mom", end="2025-01-29", source=tmp_path)
    assert list(both.columns) == ["Mkt-RF", "SMB", "SMB5", "HML", "RMW", "CMA", "Mom", "RF"]
    assert both.smb == ("ff3", "ff5")
    np.testing.assert_allclose(both.iloc[0][["SMB", "SMB5"]], [0.0025, 0.0030], rtol=1e-15)
    pd.testing.assert_frame_equal(load_factors("ff5+mom", source=tmp_path), load_factors("ff6", source=tmp_path))
    with pytest.raises(es.DataSourceError, match=r"has no file F-F_Momentum_Factor_CSV\.zip"):
        load_factors("mom", source=tmp_path, frequency="monthly")


def test_shared_factors_are_decimals_and_track_the_market(shared_factors, full_panel) -> None:
    factors = load_factors(shared_factors, units="decimal")
    assert (factors.smb, factors.frequency, len(factors)) == (("ff5",), "daily", 2638)
    # the market's fall of 16 March 2020 was 12.0 %
    assert factors.loc["2020-03-16", "Mkt-RF"] == pytest.approx(-0.12, abs=0.001)
    panel = full_panel.with_factors(factors)
    excess = panel.values[panel.row("SPY")] - panel.values[panel.row("RF")]
    market = panel.values[panel.row("Mkt-RF")]
    assert np.corrcoef(excess, market)[0, 1] > 0.99
    assert np.polyfit(market, excess, 1)[0] == pytest.approx(1.0, abs=0.03)
    with pytest.warns(es.EventStudyWarning, match="taken as decimal"):
        pd.testing.assert_frame_equal(load_factors(shared_factors), factors)


def panel_of(days: list[str], **options: object) -> es.ReturnPanel:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"A": rng.normal(0, 0.02, len(days))}, index=pd.to_datetime(days))
    return es.ReturnPanel.from_frame(frame, **options)  # type: ignore[arg-type]


def test_factors_are_laid_on_sessions_by_date(tmp_path) -> None:
    factors = load_factors(written(tmp_path / "f.csv", DAILY))[["Mkt-RF", "RF"]]
    panel = panel_of(["2025-01-24", "2025-01-27", "2025-01-29"])
    with pytest.warns(
        es.EventStudyWarning, match=r"missing on 1 of the panel's 3 sessions, first on 2025-01-24 \(Mkt-RF, RF\)"
    ):
        both = panel.with_factors(factors)
    assert both.tickers.tolist() == ["A", "Mkt-RF", "RF"]
    np.testing.assert_array_equal(both.values[0], panel.values[0])
    np.testing.assert_allclose(both.values[1], [np.nan, -0.015, -0.0046], rtol=1e-15)
    assert both.source == "factors: f.csv (CRSP 202601)"
    assert panel.tickers.tolist() == ["A"]
    kept = both.save(tmp_path / "panel")
    assert kept == both
    assert kept.source == both.source


def test_months_and_weeks_are_matched_as_such(tmp_path) -> None:
    monthly = load_factors(written(tmp_path / "m.csv", MONTHLY))
    panel = panel_of(["2024-12-31", "2025-01-30", "2025-02-28"])  # last sessions, not last days
    np.testing.assert_allclose(panel.with_factors(monthly).values[1], [-0.011, 0.022, -0.033], rtol=1e-15)
    with pytest.raises(es.InputError, match="several sessions in 2025-01, and the factors are monthly"):
        panel_of(["2025-01-28", "2025-01-29"]).with_factors(monthly)
    text = DAILY.replace("20250127", "20250110").replace("20250128", "20250117").replace("20250129", "20250124")
    weekly = load_factors(written(tmp_path / "w.csv", text))[["Mkt-RF"]]
    held = panel_of(["2025-01-10", "2025-01-16", "2025-01-24"]).with_factors(weekly)
    np.testing.assert_allclose(held.values[1], [-0.015, 0.0085, -0.0046], rtol=1e-15)


def test_factors_of_other_periods_are_refused() -> None:
    days = pd.bdate_range("2024-01-01", "2024-12-31")
    factors = pd.DataFrame({"Mkt-RF": np.full(len(days), 0.001)}, index=days)
    with pytest.raises(es.InputError, match=r"12 sessions where the daily factors have 24[0-9] dates"):
        panel_of([f"2024-{month:02d}-28" for month in range(1, 13)]).with_factors(factors)
    with pytest.raises(es.InputError, match="No session of the panel"):
        panel_of(["2023-05-02", "2023-05-03"]).with_factors(factors)
    with pytest.raises(es.InputError, match=r"Mkt-RF is 1\.1 at the median, which cannot be a decimal return"):
        panel_of(["2024-05-02", "2024-05-03"]).with_factors(factors * 1100)
    with pytest.raises(es.InputError, match="not list"):
        panel_of(["2024-05-02", "2024-05-03"]).with_factors([0.1])  # type: ignore[arg-type]


def test_log_panels_are_warned_of(tmp_path) -> None:
    factors = load_factors(written(tmp_path / "f.csv", DAILY))[["Mkt-RF", "RF"]]
    with pytest.warns(es.EventStudyWarning, match="log returns and factors are simple returns"):
        panel_of(["2025-01-27", "2025-01-28"], kind="log").with_factors(factors)


def test_a_name_that_is_taken(tmp_path) -> None:
    factors = load_factors(written(tmp_path / "f.csv", DAILY))[["Mkt-RF", "RF"]]
    panel = panel_of(["2025-01-27", "2025-01-28"]).with_factors(factors)
    with pytest.raises(es.InputError, match="has a row Mkt-RF already"):
        panel.with_factors(factors)
    assert panel.with_factors(factors, prefix="US ").tickers.tolist() == ["A", "Mkt-RF", "RF", "US Mkt-RF", "US RF"]
