"""The package ``easy-es``: EventStudy.run_study on one core.

It lays windows by calendar days before it counts sessions, so that most of its estimation windows are shorter.
"""

import pandas as pd
from common import AFTER, BEFORE, ESTIMATION, main
from easy_es import EventStudy, calculate_car_stats


def prepare(data):
    returns = data.long("ticker", "Date", "Ret").assign(Volume=1.0)
    returns["Date"] = returns["Date"].dt.date  # with datetimes its merge fails under pandas 3
    factors = pd.DataFrame({"Date": data.sessions, "Mkt-RF": data.factors[0], "RF": 0.0})
    factors["Date"] = factors["Date"].dt.date
    events = pd.DataFrame({"ticker": data.names, "event_date": data.dates})

    def study():
        made = EventStudy(
            estimation_days=ESTIMATION,
            gap_days=0,
            window_before=BEFORE,
            window_after=AFTER,
            min_estimation_days=100,
            estimator_type="capm",
            n_cores=1,
        )
        made.add_returns(ret_df=returns.copy())
        made.add_factors(factors)
        answer = made.run_study(events)
        return answer, calculate_car_stats(answer)

    return study


def cars(answer, data):
    return answer[0].sort_values(["event_id", "Offset"]).groupby("event_id")["car"].last().tolist()


main("easy-es", prepare, cars)
