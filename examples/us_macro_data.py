"""Write the quarterly growth rates of the US economy that the demonstration analyses.

The series come with statsmodels (``statsmodels.datasets.macrodata``: Federal Reserve Bank of St. Louis and Bureau of Labor
Statistics, 1959 to 2009, public domain). Levels become annualised growth rates in per cent, rates become changes in percentage
points, so that trends are gone and what remains to change are mechanisms.

Usage: ``python examples/us_macro_data.py us_macro.csv``
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.datasets import macrodata

GROWTH = {
    "realcons": "consumption",
    "realinv": "investment",
    "realgovt": "government",
    "realdpi": "income",
    "cpi": "inflation",
    "m1": "money",
}
CHANGE = {"tbilrate": "interest", "unemp": "unemployment"}


def us_macro() -> pd.DataFrame:
    """Return 202 quarters of growth rates and changes, with the last day of each quarter as ``date``."""
    levels = macrodata.load_pandas().data
    quarters = pd.PeriodIndex.from_fields(
        year=levels["year"].astype(int), quarter=levels["quarter"].astype(int)
    )
    frame = pd.DataFrame({"date": quarters.to_timestamp(how="end").strftime("%Y-%m-%d")})
    for source, name in GROWTH.items():
        frame[name] = (400 * np.log(levels[source]).diff()).round(4)
    for source, name in CHANGE.items():
        frame[name] = levels[source].diff().round(4)
    return frame.iloc[1:].reset_index(drop=True)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "us_macro.csv")
    target.parent.mkdir(parents=True, exist_ok=True)
    us_macro().to_csv(target, index=False)
    print(f"wrote {target}")
