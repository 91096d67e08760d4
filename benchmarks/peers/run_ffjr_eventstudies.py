"""The package ``ffjr-eventstudies``, descended from ``eventstudy``: one SingleEvent per event."""

import numpy as np
from common import AFTER, BEFORE, ESTIMATION, main
from eventstudies.single_event import SingleEvent


def prepare(data):
    wide = data.wide().rename_axis("date")
    SingleEvent.import_returns(dataframe=wide)

    def study():
        return [
            SingleEvent.MarketModel(
                ticker=name,
                mkt_idx="MKT",
                event_date=np.datetime64(date),
                event_window=(-BEFORE, AFTER),
                est_size=ESTIMATION,
                buffer_size=0,
            )
            for name, date in zip(data.names, data.dates, strict=True)
        ]

    return study


def cars(answer, data):
    return [np.asarray(single.CAR)[-1] for single in answer]


main("ffjr-eventstudies", prepare, cars)
