"""Small files in the layout of the French library; the numbers are made up."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

DAILY = """\
This file was created by using the 202601 CRSP database.
The Tbill return is the simple daily rate that, over the number of trading days
compounds to 1-month TBill rate, from Ibbotson and Associates Inc.

,Mkt-RF,SMB,HML,RF
20250127,   -1.50,    0.25,    1.10,    0.017
20250128,    0.85,  -99.99,   -0.70,    0.017
20250129,   -0.46,    0.31, -999,    0.017

Copyright 2026 Eugene F. Fama and Kenneth R. French
"""

FIVE = DAILY.replace(",Mkt-RF,SMB,HML,RF", ",Mkt-RF,SMB,HML,RMW,CMA,RF").replace(
    "    0.017", "    0.12,   -0.05,    0.017"
)

MONTHLY = """\
This file was created by CMPT_ME_BEME_RETS using the 202505 CRSP database.
The 1-month TBill return is from Ibbotson and Associates, Inc.

,Mkt-RF,SMB,HML,RF
202412,   -1.10,    0.20,   -0.30,    0.35
202501,    2.20,   -0.40,    0.50,    0.35
202502,   -3.30,    0.60,   -0.70,    0.35

 Annual Factors: January-December 
,Mkt-RF,SMB,HML,RF
  2024,   11.10,   -2.20,    3.30,    4.40

Copyright 2025 Kenneth R. French
"""  # noqa: W291 (the library's own blank)

MOMENTUM = """\
This file was created by CMPT_ME_PRIOR_RETS_DAILY using the 202512 CRSP database.  It
contains a momentum factor, constructed from six value-weight portfolios.

Missing data are indicated by -99.99 or -999.

,Mom   
20250128,   1.41
20250129,  -0.62
20250130,   0.20


Copyright 2025 Kenneth R. French
"""  # noqa: W291


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def zipped(text: str, name: str = "F-F_Research_Data_Factors_daily.csv") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return out.getvalue()
