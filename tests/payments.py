"""A table of payments as a company keeps it: columns of every kind, and missing values.

It is what make_transactions simulates, with the columns as a data base gives them.
"""

import numpy as np
from optional import pandas

from focalboost.datasets import make_transactions

NUMBERS = [
    *("amount", "amount_to_usual", "distance_km", "payments_24h"),
    *("hours_since_payment", "terminal_payments_1h", "terminal_disputes_28d"),
    *("new_category", "guest", "device_age_days", "contact_age_days"),
]
TEXT = ["category", "channel", "country", "currency"]


def make_payments(n_samples=100_000, prevalence=1 / 500, random_state=0):
    """Payments in the order of time, with the column "fraud" of "yes" and "no".

    The columns are a date (time), ids (payment_id, customer and terminal, which is text
    and may be missing), text (country, and currency, which may be missing), categories
    (category and channel), booleans (new_category, and guest, which is nullable),
    nullable integers (payments_24h) and numbers.
    """
    stream = make_transactions(
        n_samples, prevalence=prevalence, random_state=random_state
    )
    rng = np.random.default_rng(random_state)
    table = stream.data.drop(columns=["hour", "weekday"])
    table["country"] = table["country"].astype(str).astype(object)
    terminal = table["terminal"].astype(str).astype(object)
    table["terminal"] = terminal.where(rng.random(n_samples) < 0.99)
    table["currency"] = rng.choice(["EUR", "USD", "GBP"], size=n_samples).astype(object)
    table.loc[rng.random(n_samples) < 0.05, "currency"] = None
    table["guest"] = table["guest"].astype("boolean")
    table.loc[(table["channel"] != "online").to_numpy(), "guest"] = pandas.NA
    table["payments_24h"] = table["payments_24h"].astype("Int64")
    table.loc[rng.random(n_samples) < 0.02, "payments_24h"] = pandas.NA
    table.insert(0, "payment_id", [f"P{number:08}" for number in range(n_samples)])
    table["fraud"] = np.where(stream.target == 1, "yes", "no")
    return table
