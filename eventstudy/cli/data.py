"""``eventstudy fetch`` and ``eventstudy cache``: prices on disk."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eventstudy.cli.base import (
    Cache,
    Debug,
    End,
    Offline,
    Snapshot,
    Start,
    app,
    cache_app,
    check_dates,
    check_interval,
    count,
    in_options,
    misused,
    tell,
)
from eventstudy.errors import DataSourceError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cache_clear", "cache_list", "cache_snapshot", "cache_snapshots", "cache_verify", "fetch"]


class Remote(StrEnum):
    """Sources that are downloaded."""

    yahoo = "yahoo"


@app.command(
    epilog="""Examples:

[bold]eventstudy fetch MSFT NVDA SPY --start 2023-12-01[/bold]

[bold]eventstudy fetch SPY --start 2020-01-01 --end 2025-02-28 --refresh[/bold]

[bold]eventstudy fetch NVDA --start 2025-01-27 --interval 5m[/bold]"""
)
def fetch(
    tickers: Annotated[list[str], typer.Argument(metavar="TICKER...", help="As the source spells them.")],
    start: Start = None,
    end: End = None,
    source: Annotated[Remote, typer.Option(help="Where from.")] = Remote.yahoo,
    cache: Cache = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Download again what the cache has.", show_default=False)
    ] = False,
    offline: Offline = False,
    interval: Annotated[
        str, typer.Option(metavar="LENGTH", help="1d, or bars within the day: 60m, 30m, 15m, 5m, 2m, 1m.")
    ] = "1d",
    debug: Debug = False,
) -> None:
    """Download prices into the cache and print what it holds of them.

    What is there already is not downloaded again. A run with --offline then needs no network.
    """
    from eventstudy import load_prices
    from eventstudy.data import PriceCache

    if refresh and offline:
        misused("A download is asked for, but --offline forbids it. Drop one of the two.", "--refresh")
    check_dates(start, end)
    check_interval(interval)
    store = PriceCache(cache)
    names = list(dict.fromkeys(tickers))
    try:
        prices = load_prices(
            names, start, end, source.value, interval=interval, cache=store, offline=offline, refresh=refresh
        )
    except DataSourceError as error:
        if partial := error.context.get("partial"):
            _show_fetched({name: bars.frame.index for name, bars in partial.items()})  # type: ignore[attr-defined]
        raise
    _show_fetched({name: prices.index[prices[name].notna()] for name in names})
    tell(f"cache: {store.directory}")


def _show_fetched(dates: Mapping[str, pd.Index[Any]]) -> None:
    import pandas as pd

    rows = [(name, len(days), f"{days[0]:%Y-%m-%d}", f"{days[-1]:%Y-%m-%d}") for name, days in dates.items()]
    typer.echo(pd.DataFrame(rows, columns=["ticker", "rows", "first", "last"]).to_string(index=False))


@cache_app.command(
    "list",
    epilog="""Examples:

[bold]eventstudy cache list --cache prices[/bold]

[bold]eventstudy cache list --snapshot paper[/bold]""",
)
def cache_list(cache: Cache = None, snapshot: Snapshot = None, debug: Debug = False) -> None:
    """List what the cache holds, or what a snapshot of it does."""
    from eventstudy.data import PriceCache

    store = PriceCache(cache)
    if snapshot is not None:
        store = store.at(snapshot)
    entries = store.list()
    if not entries.empty:
        columns = ["symbol", "provider", "rows", "first", "last", "interval", "currency", "fetched_at"]
        if (entries["readjusted"] != "").any():
            columns.append("readjusted")
        typer.echo(entries[columns].fillna("").to_string(index=False))
    where = store.directory if store.taken is None else f"the snapshot {store.taken!r} of {store.directory}"
    tell(f"{count(len(entries), 'entry', 'entries')} in {where}")


@cache_app.command("verify", epilog="Example: [bold]eventstudy cache verify && echo intact[/bold]")
def cache_verify(
    cache: Cache = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 for suspicious prices too.", show_default=False)
    ] = False,
    debug: Debug = False,
) -> None:
    """Check every file against its checksum, those of snapshots too, and the prices in it.

    Exit code 1 if a file is damaged. The checks of prices are those of prices.quality(): sessions that are missing,
    stale prices, days without trades, splits that were not adjusted for, misprints.
    """
    from eventstudy.data import PriceCache

    store = PriceCache(cache)
    found = store.verify()
    bad = found[~found["ok"]]
    for row in bad.to_dict("records"):
        typer.echo(f"{row['symbol'] or row['file']}: {row['problem']}. {in_options(row['remedy'])}")
    good = count(len(found) - len(bad), "file", "files")
    doubtful = store.quality().at_least("warning")
    for row in doubtful.to_dict("records"):
        typer.echo(f"{row['ticker']}: {row['severity']}: {row['kind']}: {row['evidence']}. {row['remedy']}")
    tell(f"{good} intact, {len(bad)} damaged in {store.directory}")
    tell(f"{count(len(doubtful), 'finding', 'findings')} in the prices")
    if len(bad) or (strict and len(doubtful)):
        raise typer.Exit(1)


@cache_app.command(
    "clear",
    epilog="""Examples:

[bold]eventstudy cache clear --yes[/bold]

[bold]eventstudy cache clear MSFT NVDA[/bold]

[bold]eventstudy cache clear --orphans[/bold]""",
)
def cache_clear(
    tickers: Annotated[
        list[str] | None, typer.Argument(metavar="[TICKER...]", help="Only these.", show_default=False)
    ] = None,
    cache: Cache = None,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Only files of writes that did not end.", show_default=False)
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)] = False,
    debug: Debug = False,
) -> None:
    """Remove what the cache holds. What a snapshot holds stays."""
    from eventstudy.data import PriceCache

    if orphans and tickers:
        misused("Orphans have no tickers. Drop one of the two.", "--orphans")
    store = PriceCache(cache)
    if orphans:
        tell(f"{count(store.clear(orphans=True), 'file', 'files')} removed from {store.directory}")
        return
    held = store.list()
    chosen = held if not tickers else held[held["symbol"].isin(tickers)]
    if absent := [name for name in dict.fromkeys(tickers or []) if name not in set(held["symbol"])]:
        misused(f"{', '.join(absent)}: not in {store.directory}. See eventstudy cache list.", "TICKER")
    what = count(len(chosen), "entry", "entries")
    if not yes:
        typer.confirm(f"Remove {what} from {store.directory}?", abort=True, err=True)
    tell(f"{count(store.clear(tickers or None), 'entry', 'entries')} removed from {store.directory}")


@cache_app.command(
    "snapshot",
    epilog="""Examples:

[bold]eventstudy cache snapshot paper[/bold]

[bold]eventstudy run events.csv --source yahoo --benchmark SPY --snapshot paper[/bold]

[bold]eventstudy cache snapshot paper --remove[/bold]""",
)
def cache_snapshot(
    name: Annotated[str, typer.Argument(metavar="NAME", help="At most 60 characters.", show_default=False)],
    cache: Cache = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Forget this snapshot, and the files that only it holds.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Keep the data as they are now, so that a study can be run again on exactly these.

    Every file is checked first. Later downloads do not change a snapshot.
    """
    from eventstudy.data import PriceCache

    store = PriceCache(cache)
    if remove:
        store.forget_snapshot(name)
        tell(f"snapshot {name!r} removed from {store.directory}")
        return
    taken = store.snapshot(name)
    tell(f"{count(taken.entries, 'entry', 'entries')} kept as {name!r} in {store.directory}")


@cache_app.command("snapshots", epilog="Example: [bold]eventstudy cache snapshots[/bold]")
def cache_snapshots(cache: Cache = None, debug: Debug = False) -> None:
    """List the snapshots, the oldest first; equal data have equal checksums."""
    from eventstudy.data import PriceCache

    store = PriceCache(cache)
    found = store.snapshots()
    if not found.empty:
        typer.echo(found.assign(sha256=found["sha256"].str[:12]).to_string(index=False))
    tell(f"{count(len(found), 'snapshot', 'snapshots')} of {store.directory}")
