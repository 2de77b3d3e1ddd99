"""Simulated card payments whose true fraud probabilities are known."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils import Bunch

from focalboost._hosts._imports import import_extra
from focalboost._validation import reject, whole_number

__all__ = ["make_transactions"]

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]
Rng: TypeAlias = np.random.Generator

N_DAYS = 120
FIRST_DAY = np.datetime64("2024-01-01T00:00:00")
UNREPORTED = 0.08  # share of the frauds that nobody reports
DISPUTED = 0.02  # an honest payment is reported as fraud, in units of the prevalence

NO_FEATURES = ("time", "customer", "terminal")

#: The names that the codes of a column stand for.
CATEGORIES = {
    "category": (
        *("groceries", "fuel", "restaurants", "clothing", "electronics"),
        *("gift cards", "travel", "gaming"),
    ),
    "channel": ("chip", "contactless", "online"),
    "country": ("home", "north", "east", "south", "west"),
}
ONLINE = CATEGORIES["channel"].index("online")
RESALEABLE = [CATEGORIES["category"].index(n) for n in ("electronics", "gift cards")]

#: Shares by category, and of web shops by country; a price is relative to groceries.
TERMINALS_PER_CATEGORY = np.array([0.38, 0.12, 0.22, 0.12, 0.06, 0.02, 0.08, 0.0])
SHOPS_PER_CATEGORY = np.array([0.1, 0.0, 0.05, 0.3, 0.2, 0.1, 0.15, 0.1])
CUSTOMERS_PER_CATEGORY = np.array([1.0, 0.9, 0.95, 0.9, 0.5, 0.3, 0.6, 0.2])
PRICE_LEVEL = np.array([1.0, 1.6, 1.1, 1.8, 4.0, 1.2, 6.0, 0.7])
SHOPS_PER_COUNTRY = np.array([0.8, 0.05, 0.05, 0.05, 0.05])


def make_transactions(
    n_samples: int = 100_000,
    *,
    prevalence: float = 0.001,
    random_state: int | np.random.Generator | None = None,
    as_frame: bool = True,
) -> Bunch:
    """Simulate card payments, a few of which are reported as fraud.

    The payments of 120 days come in the order of time. Each label is drawn with a
    probability that depends on the columns of its row alone. ``probability`` holds this
    number, so the best result that any model can reach is known.

    Parameters
    ----------
    n_samples : int, default=100_000
        Number of payments. Customers and terminals grow with it, and the 120 days stay:
        a small stream is not the beginning of a large one.
    prevalence : float, default=0.001
        Share of the payments that are expected to be reported as fraud, above 0 and at
        most 0.5. The mean of ``probability`` is this number.
    random_state : int, numpy Generator or None, default=None
        Seed of all that is drawn. An int gives the same stream in every call.
    as_frame : bool, default=True
        Whether ``data`` and ``kinds`` are DataFrames, which need pandas, or dicts of
        arrays.

    Returns
    -------
    Bunch
        A dict whose entries are attributes as well.

        data : DataFrame of shape (n_samples, 19), or dict of arrays
            The columns below. In a dict, categories are int8 codes.
        target : ndarray of int8, shape (n_samples,)
            1 for a payment that is reported as fraud, else 0.
        probability : ndarray of float64, shape (n_samples,)
            The true P(target = 1 | data).
        kinds : DataFrame of shape (n_samples, 5), or dict of arrays
            The true probability of each kind of fraud.
        feature_names : list of str
            The columns for a model to read: all but time, customer and terminal.
        categories : dict of str to tuple of str
            By column, the names that the codes stand for.

    Notes
    -----
    The columns of ``data``:

    time, hour, weekday
        Second of the payment, hour from 0 to 24, and day from 0 for Monday.
    customer, terminal
        Numbers of who pays and where. Web shops have the largest numbers.
    amount, amount_to_usual
        What is paid, and this divided by what the customer usually pays in such a shop.
    category, channel, country
        Of the shop: groceries, fuel, ...; chip, contactless or online; and where it is.
        All customers live in "home".
    new_category
        Whether it is the first payment of the customer in the category.
    distance_km
        From home to the terminal. It is missing online.
    payments_24h, hours_since_payment
        Payments of the customer in the 24 hours before, and hours since the last one,
        missing for the first.
    terminal_payments_1h, terminal_disputes_28d
        At the terminal: payments in the hour before, disputes in the 28 days before.
    guest
        Whether an online payment has no account.
    device_age_days, contact_age_days
        Days since the device was first seen, missing offline and for guests, and since
        the customer's phone number changed, missing for 5 % of the customers.

    The payments know nothing of fraud. Customers have habits, journeys and shopping
    sprees. Web shops have sales, which bring many payments within an hour. One terminal
    in fifty is compromised for 28 days in which disputes pile up.

    The probability of each of five kinds of fraud is expit(c + f), with f::

      stolen card       (10 far + 9 large + 2 rapid) offline - 17.5
      card testing      (8 crowded + 7 small + 8 guest + trend) online - 21
      skimmed terminal  (11 disputed + 8 late - trend) offline - 16.5
      account takeover  (4 new_device + 3 large + 3 night + 4 new_contact) online - 11.5
      goods for resale  6 new_category + 3 resaleable + 8 large + 2 night - 17

    ``online``, ``offline``, ``guest``, ``new_category`` and ``resaleable`` (electronics
    and gift cards) are 0 or 1, and ``trend`` rises from 0 to 1 over the 120 days. The
    other features are soft steps, and 0 where their column is missing::

        large        expit((log(amount_to_usual) - 1.4) / 0.15)
        small        expit((-log(amount_to_usual) - 0.3) / 0.15)
        far          expit((log(1 + distance_km) - 4.2) / 0.2)
        rapid        expit((payments_24h - 5.5) / 0.7)
        crowded      expit((terminal_payments_1h - 4.5) / 0.7)
        disputed     expit((terminal_disputes_28d - 2.5) / 0.3)
        late         expit((hour - 19) / 0.5)
        night        expit(3 cos((hour - 3) pi / 12) - 1)
        new_device   expit((20 - device_age_days) / 4)
        new_contact  expit((14 - contact_age_days) / 2)

    A payment is fraud if it is fraud of any kind, the kinds being independent. Of the
    frauds 8 % are never reported, and some honest payments are disputed::

        P(fraud)     =  1 - product over kinds of (1 - P(kind))
        probability  =  0.92 P(fraud) + 0.02 prevalence (1 - P(fraud))

    One c for all kinds gives ``probability`` the mean ``prevalence``. The average
    precision of ``probability`` itself is about 0.6 at a prevalence of 0.001 (0.4 at
    0.01 and 0.3 at 0.0001). Account takeovers look much like honest payments.

    Examples
    --------
    >>> from focalboost.datasets import make_transactions
    >>> payments = make_transactions(50_000, prevalence=0.002, random_state=0)
    >>> payments.data.shape, int(payments.target.sum())
    ((50000, 19), 97)

    How good a ranking can be:

    >>> from sklearn.metrics import average_precision_score
    >>> best = average_precision_score(payments.target, payments.probability)
    >>> round(float(best), 2)
    0.41
    """
    n_samples = whole_number("n_samples", n_samples, 1)
    if not 0 < prevalence <= 0.5:
        rule = "above 0 and at most 0.5"
        reject("prevalence", rule, prevalence, "Use prevalence=0.001.")
    rng = np.random.default_rng(random_state)
    columns = _payments(n_samples, rng)
    disputed = DISPUTED * prevalence
    share = (prevalence - disputed) / (1 - UNREPORTED - disputed)
    kinds, fraud = _probabilities(_log_odds(columns), share)
    probability = (1 - UNREPORTED) * fraud + disputed * (1 - fraud)
    return Bunch(
        data=_data_frame(columns) if as_frame else columns,
        target=(rng.random(n_samples) < probability).astype(np.int8),
        probability=probability,
        kinds=_data_frame(kinds) if as_frame else kinds,
        feature_names=[name for name in columns if name not in NO_FEATURES],
        categories=CATEGORIES,
    )


def _data_frame(columns: dict[str, Array]) -> Any:
    """The columns as a DataFrame, codes as categories."""
    pandas = import_extra("pandas", "pip install pandas, or use as_frame=False")
    named = {
        name: pandas.Categorical.from_codes(columns[name], names)
        for name, names in CATEGORIES.items()
        if name in columns
    }
    return pandas.DataFrame({**columns, **named})


def _log_odds(columns: dict[str, Array]) -> dict[str, Floats]:
    """The log odds of each kind of fraud, up to a number that all have in common."""
    hour, log_ratio = columns["hour"], np.log(columns["amount_to_usual"])
    online = columns["channel"] == ONLINE
    trend = (columns["time"] - FIRST_DAY) / np.timedelta64(N_DAYS, "D")
    large, small = _above(1.4, log_ratio, 0.15), _above(0.3, -log_ratio, 0.15)
    far = _above(4.2, np.log1p(columns["distance_km"]), 0.2)
    rapid = _above(5.5, columns["payments_24h"], 0.7)
    crowded = _above(4.5, columns["terminal_payments_1h"], 0.7)
    disputed = _above(2.5, columns["terminal_disputes_28d"], 0.3)
    late = _above(19, hour, 0.5)
    night = _above(0, 3 * np.cos((hour - 3) * np.pi / 12) - 1, 1)
    new_device = _above(-20, -columns["device_age_days"], 4)
    new_contact = _above(-14, -columns["contact_age_days"], 2)
    resaleable = np.isin(columns["category"], RESALEABLE)
    testing = 8 * crowded + 7 * small + 8 * columns["guest"] + trend
    takeover = 4 * new_device + 3 * large + 3 * night + 4 * new_contact
    goods = 6 * columns["new_category"] + 3 * resaleable + 8 * large + 2 * night
    return {
        "stolen card": (10 * far + 9 * large + 2 * rapid) * ~online - 17.5,
        "card testing": testing * online - 21,
        "skimmed terminal": (11 * disputed + 8 * late - trend) * ~online - 16.5,
        "account takeover": takeover * online - 11.5,
        "goods for resale": goods - 17,
    }


def _above(limit: float, values: Array, width: float) -> Floats:
    """Return expit((values - limit) / width), and 0 where a value is missing.

    The tanh cannot overflow.
    """
    step = 0.5 + 0.5 * np.tanh((values - limit) / (2 * width))
    return np.nan_to_num(step, copy=False)


def _probabilities(
    log_odds: dict[str, Floats], share: float
) -> tuple[dict[str, Floats], Floats]:
    """The probability of each kind of fraud, and of any, which has a given mean."""
    from scipy.optimize import brentq

    odds = [np.exp(values) for values in log_odds.values()]

    def any_fraud(c: float) -> Floats:
        # Precise where the probability is small, unlike 1 - prod(1 - kinds).
        no_fraud = -np.sum([np.log1p(np.exp(c) * values) for values in odds], axis=0)
        return np.asarray(-np.expm1(no_fraud))

    # The probability of any fraud is at most the sum of the odds: c is above `low`.
    low = np.log(share / sum(values.mean() for values in odds)) - 1
    c = brentq(lambda c: np.log(any_fraud(c).mean() / share), low, low + 100)
    kinds = [expit(c + values) for values in log_odds.values()]
    return dict(zip(log_odds, kinds, strict=True)), any_fraud(c)


def _payments(n_samples: int, rng: Rng) -> dict[str, Array]:
    """Who pays how much, when and where: nothing here knows of fraud."""
    n_customers = 10 + n_samples // 100
    visit = _visits(n_samples, n_customers, rng)
    customer, day, online = visit["customer"], visit["day"], visit["online"]
    place = _places(visit, n_customers, rng)
    terminal, category = place["terminal"], place["category"]
    guest = online & (rng.random(n_samples) < 0.1)
    ratio = rng.lognormal(1.5 * visit["spree"], 0.6)
    usual = rng.lognormal(2.5, 0.6, n_customers)[customer] * PRICE_LEVEL[category]
    payments, pause = _recent(customer, day, 1)
    crowd, _ = _recent(terminal, day, 1 / 24)
    return {
        "time": FIRST_DAY + (day * 86_400).astype("timedelta64[s]"),
        "hour": day % 1 * 24,
        "weekday": (day % 7).astype(np.int8),
        "customer": customer,
        "terminal": terminal,
        "amount": np.round(usual * ratio, 2),
        "amount_to_usual": ratio,
        "category": category,
        "new_category": _is_new(customer, category, n_customers, rng),
        "channel": np.where(online, ONLINE, rng.random(n_samples) < 0.6).astype(
            np.int8
        ),
        "country": place["country"],
        "distance_km": np.where(online, np.nan, place["distance"]),
        "payments_24h": payments,
        "hours_since_payment": 24 * pause,
        "terminal_payments_1h": crowd,
        "terminal_disputes_28d": _disputes(terminal, day, rng),
        "guest": guest,
        **_ages(customer, day, online & ~guest, n_customers, rng),
    }


def _visits(n_samples: int, n_customers: int, rng: Rng) -> dict[str, Array]:
    """Customer, day and occasion of each payment, in the order of time."""
    visit = _outings(n_samples, n_customers, rng)
    n_sales = 1 + n_samples // 1500
    opening = rng.integers(N_DAYS, size=n_sales) + rng.normal(14, 4, n_sales) % 24 / 24
    sale = rng.integers(n_sales, size=n_samples)
    at_sale = rng.random(n_samples) < 0.01
    since = rng.exponential(np.where(at_sale, 0.01, 0.04 * visit["several"]))
    day = np.where(at_sale, opening[sale], visit["start"]) + since
    visit["day"] = np.minimum(day, np.nextafter(N_DAYS, 0))
    visit["online"] |= at_sale
    visit["sale"] = np.where(at_sale, sale, -1)
    order = np.argsort(visit["day"], kind="stable")
    return {name: values[order] for name, values in visit.items()}


def _outings(n_samples: int, n_customers: int, rng: Rng) -> dict[str, Array]:
    """One row for each payment; the payments of one outing share these columns."""
    several = rng.random(n_samples) < 0.06
    size = np.where(several, rng.geometric(0.3, n_samples), 1)
    activity = rng.gamma(2.0, size=n_customers)
    customer = rng.choice(n_customers, n_samples, p=activity / activity.sum())
    habit = rng.normal(14.0, 2.5, n_customers)
    hour = rng.normal(habit[customer], 3.5) % 24
    outings: dict[str, Array] = {
        "customer": customer.astype(np.int32),
        "start": rng.integers(N_DAYS, size=n_samples) + hour / 24,
        "several": size > 1,
        "online": rng.random(n_samples) < 0.3,
        "spree": rng.random(n_samples) < 0.03,
        "journey": rng.random(n_samples) < 0.015,
    }
    outing_of_payment = np.repeat(np.arange(n_samples), size)[:n_samples]
    return {name: column[outing_of_payment] for name, column in outings.items()}


def _places(visit: dict[str, Array], n_customers: int, rng: Rng) -> dict[str, Array]:
    """Terminal of each payment, with its category, country and distance from home.

    Terminal t stands in town t % n_towns, and the last quarter of the towns lies
    abroad. Web shops have the numbers after the terminals.
    """
    n_samples = len(visit["customer"])
    n_terminals = 20 + n_customers // 2
    n_towns, n_shops = 2 + n_terminals // 40, 5 + n_terminals // 10
    n_home_towns = n_towns - n_towns // 4
    home = rng.integers(n_home_towns, size=n_customers)[visit["customer"]]

    in_town = np.ceil((n_terminals - home) / n_towns)
    at_home = home + n_towns * (rng.random(n_samples) * in_town).astype(np.int64)
    anywhere = rng.integers(n_terminals, size=n_samples)
    terminal = np.where(visit["journey"], anywhere, at_home)
    place = rng.uniform((0, 0), (700, 300), (n_towns, 2))
    place[n_home_towns:, 0] += 700
    way = place[home] - place[terminal % n_towns]

    sale = visit["sale"]
    shop = rng.integers(n_shops, size=n_samples)
    shop = np.where(sale >= 0, rng.integers(n_shops, size=n_samples + 1)[sale], shop)
    terminal = np.where(visit["online"], n_terminals + shop, terminal)
    category = np.append(
        rng.choice(8, n_terminals, p=TERMINALS_PER_CATEGORY),
        rng.choice(8, n_shops, p=SHOPS_PER_CATEGORY),
    )
    town = np.arange(n_terminals) % n_towns
    country = np.where(town < n_home_towns, 0, 1 + town % 4)
    country = np.append(country, rng.choice(5, n_shops, p=SHOPS_PER_COUNTRY))
    return {
        "terminal": terminal.astype(np.int32),
        "category": category[terminal].astype(np.int8),
        "country": country[terminal].astype(np.int8),
        "distance": np.hypot(*way.T) + rng.exponential(3.0, n_samples),
    }


def _recent(key: Array, day: Floats, window: float) -> tuple[Array, Floats]:
    """Payments of the same key in the days before, and days since the last one."""
    order = np.argsort(key, kind="stable")
    # One rising clock for all keys: two days lie between one and the next.
    clock = day[order] + key[order] * (N_DAYS + 2.0)
    count, pause = np.empty(len(key), np.int32), np.empty(len(key))
    count[order] = np.arange(len(key)) - np.searchsorted(clock, clock - window)
    is_first = np.diff(key[order], prepend=-1) > 0
    pause[order] = np.where(is_first, np.nan, np.diff(clock, prepend=0.0))
    return count, pause


def _is_new(
    customer: Array, category: Array, n_customers: int, rng: Rng
) -> NDArray[np.bool_]:
    """Whether the customer has not paid in the category before."""
    n_categories = len(CUSTOMERS_PER_CATEGORY)
    used = rng.random((n_customers, n_categories)) < CUSTOMERS_PER_CATEGORY
    pair = customer.astype(np.int64) * n_categories + category
    is_first = np.zeros(len(pair), np.bool_)
    is_first[np.unique(pair, return_index=True)[1]] = True
    return is_first & ~used[customer, category]


def _disputes(terminal: Array, day: Floats, rng: Rng) -> Array:
    """Disputes at the terminal, many more in the 28 days in which it is compromised."""
    n_terminals = terminal.max() + 1
    begin = rng.uniform(-28, N_DAYS, n_terminals)
    begin[rng.random(n_terminals) > 0.02] = np.inf
    since = day - begin[terminal]
    active = (since > 0) & (since < 28)
    disputes: Array = rng.poisson(0.05 + 4.0 * active)
    return disputes.astype(np.int32)


def _ages(
    customer: Array, day: Floats, has_device: Array, n: int, rng: Rng
) -> dict[str, Floats]:
    """Days since a customer's device and phone number last changed."""

    def age(span: float) -> Floats:
        change = rng.uniform(-span, N_DAYS, n)
        earlier = np.minimum(change, 0) - rng.exponential(span, n)
        since = day - change[customer]
        return np.where(since > 0, since, day - earlier[customer])

    device, contact = age(800.0), age(400.0)
    no_contact = rng.random(n) < 0.05
    return {
        "device_age_days": np.where(has_device, device, np.nan),
        "contact_age_days": np.where(no_contact[customer], np.nan, contact),
    }
