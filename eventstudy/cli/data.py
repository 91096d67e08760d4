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
    Start,
    app,
    cache_app,
    check_dates,
    count,
    in_options,
    misused,
    tell,
)
from eventstudy.errors import DataSourceError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cache_clear", "cache_list", "cache_verify", "fetch"]


class Remote(StrEnum):
    """Sources that are downloaded."""

    yahoo = "yahoo"


@app.command(
    epilog="""Examples:

[bold]eventstudy fetch MSFT NVDA SPY --start 2023-12-01[/bold]

[bold]eventstudy fetch SPY --start 2020-01-01 --end 2025-02-28 --refresh[/bold]"""
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
    store = PriceCache(cache)
    names = list(dict.fromkeys(tickers))
    try:
        prices = load_prices(names, start, end, source.value, cache=store, offline=offline, refresh=refresh)
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


@cache_app.command("list", epilog="Example: [bold]eventstudy cache list --cache prices[/bold]")
def cache_list(cache: Cache = None, debug: Debug = False) -> None:
    """List what the cache holds."""
    from eventstudy.data import PriceCache

    store = PriceCache(cache)
    entries = store.list()
    if not entries.empty:
        columns = ["symbol", "provider", "rows", "first", "last", "currency", "fetched_at"]
        typer.echo(entries[columns].fillna("").to_string(index=False))
    tell(f"{count(len(entries), 'entry', 'entries')} in {store.directory}")


@cache_app.command("verify", epilog="Example: [bold]eventstudy cache verify && echo intact[/bold]")
def cache_verify(
    cache: Cache = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 for suspicious prices too.", show_default=False)
    ] = False,
    debug: Debug = False,
) -> None:
    """Check every file against its checksum, and the prices in it; exit code 1 if a file is damaged.

    The checks of prices are those of prices.quality(): sessions that are missing, stale prices, days without trades,
    splits that were not adjusted for, mixed currencies, misprints.
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


@cache_app.command("clear", epilog="Example: [bold]eventstudy cache clear --yes[/bold]")
def cache_clear(
    cache: Cache = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)] = False,
    debug: Debug = False,
) -> None:
    """Remove everything that the cache holds."""
    from eventstudy.data import PriceCache

    store = PriceCache(cache)
    n = len(store.list())
    if not yes:
        typer.confirm(f"Remove {count(n, 'entry', 'entries')} from {store.directory}?", abort=True, err=True)
    tell(f"{count(store.clear(), 'entry', 'entries')} removed from {store.directory}")
