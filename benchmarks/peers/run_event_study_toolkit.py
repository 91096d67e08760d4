"""The package ``event-study-toolkit``: one event per security, getFullSampleTestStatistic of the market model.

It builds a trading calendar from 1900 on whenever a study is made; that is part of what is timed.
"""

import numpy as np
import pandas as pd
from common import AFTER, BEFORE, ESTIMATION, main
from event_study_toolkit.eventstudy import eventstudy


def prepare(data):
    names = data.names
    data.names = np.arange(1, len(names) + 1)  # whole numbers are asked for
    returns = data.long("permno", "date", "ret_dlst_adj")
    returns["vwretd"] = np.tile(data.factors[0], len(names))
    events = pd.DataFrame({"permno": data.names, "EVT_DATE": data.dates, "sample": 1})
    data.names = names

    def study():
        made = eventstudy(ESTIMATION, 0, -BEFORE, AFTER, returns, events, groups=["sample"])
        return made, made.getFullSampleTestStatistic("market")

    return study


def cars(answer, data):
    return answer[0].getCARS("market").sort_values("permno")["car"].tolist()


main("event-study-toolkit", prepare, cars)
