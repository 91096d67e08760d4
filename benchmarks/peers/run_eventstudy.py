"""The package ``eventstudy`` of PyPI: one Single.market_model per event, then Multiple."""

import tempfile
from pathlib import Path

from common import AFTER, BEFORE, ESTIMATION, main

import eventstudy


def prepare(data):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "returns.csv"
        data.wide().rename_axis("date").to_csv(path, float_format="%.17g")
        eventstudy.Single.import_returns(str(path))

    def study():
        singles = [
            eventstudy.Single.market_model(
                security_ticker=name,
                market_ticker="MKT",
                event_date=date,
                event_window=(-BEFORE, AFTER),
                estimation_size=ESTIMATION,
                buffer_size=0,
            )
            for name, date in zip(data.names, data.dates, strict=True)
        ]
        return singles, eventstudy.Multiple(singles)

    return study


def cars(answer, data):
    return [single.CAR[-1] for single in answer[0]]


main("eventstudy", prepare, cars)
