"""A simulated stream of card transactions whose fraud probability is known exactly.

The transactions come first: customers with habits, outings, journeys, terminals. Each
kind of fraud is then a hazard that depends on the feature columns alone, so the
probability of a fraud label given the features is known, and with it the best result
that any model can reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.spatial import cKDTree
from scipy.special import expit

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

N_DAYS = 120
UNREPORTED = 0.08  # share of the frauds that nobody reports
DISPUTED = 0.02  # share of the fraud labels that are honest transactions, disputed


@dataclass(frozen=True, eq=False)
class SimulatedTransactions:
    """Transactions in order of time, their labels, and what no bank ever knows.

    Attributes
    ----------
    features : DataFrame of shape (n_samples, 12)
        Numeric columns. ``day`` is the time, from 0 to 120.
    y_true : ndarray of shape (n_samples,)
        1 where the transaction was reported as fraud, else 0.
    posterior : ndarray of shape (n_samples,)
        P(y = 1 | features), with unreported frauds and honest disputes folded in.
    hazards : DataFrame of shape (n_samples, 4)
        The probability of each kind of fraud, whatever is reported.
    """

    features: pd.DataFrame
    y_true: NDArray[np.int8]
    posterior: Floats
    hazards: pd.DataFrame


def simulate_transactions(
    n_samples: int = 200_000, imbalance: float = 1000.0, random_state: int = 0
) -> SimulatedTransactions:
    """Simulate transactions with one expected fraud label per `imbalance` others."""
    rng = np.random.default_rng(random_state)
    features = _transactions(n_samples, rng)
    log_odds = _fraud_log_odds(features)
    rate = 1 / (imbalance + 1)

    def excess(intercept: float) -> float:
        return float(_posterior(expit(log_odds + intercept), rate).mean() - rate)

    hazards = expit(log_odds + brentq(excess, -100.0, 100.0))
    posterior = _posterior(hazards, rate)
    y_true = (rng.random(n_samples) < posterior).astype(np.int8)
    return SimulatedTransactions(features, y_true, posterior, hazards)


def _posterior(hazards: pd.DataFrame, rate: float) -> Floats:
    """P(label = 1): a fraud of any kind that is reported, or an honest dispute."""
    fraud: Floats = 1 - np.prod(1 - hazards.to_numpy(), axis=1)
    return fraud * (1 - UNREPORTED) + (1 - fraud) * DISPUTED * rate


def _fraud_log_odds(features: pd.DataFrame) -> pd.DataFrame:
    """Log odds of each kind of fraud up to a common intercept, roughly easy to hard."""
    f = {name: features[name].to_numpy() for name in features}
    online, offline, trend = f["online"], 1 - f["online"], f["day"] / N_DAYS
    log_ratio = np.log(f["amount_to_usual"])
    far = expit((np.log1p(f["distance_km"]) - 4.2) / 0.2)
    large = expit((log_ratio - 1.4) / 0.15)
    small = expit((-0.3 - log_ratio) / 0.15)
    rapid = expit((f["payments_24h"] - 5.5) / 0.7)
    late = expit((f["hour"] - 19) / 0.5)
    night = expit(3 * np.cos((f["hour"] - 3) * np.pi / 12) - 1)
    new_device = expit((20 - f["device_age_days"]) / 4)
    disputed = expit((f["terminal_disputes_28d"] - 2.5) / 0.3)
    log_odds = {
        "stolen card": 10 * far + 9 * large + 2 * rapid - 17.5,
        "card testing": (8 * rapid + 7 * small + 8 * new_device) * online + trend - 22,
        "skimmed terminal": (11 * disputed + 8 * late) * offline - trend - 16.5,
        "account takeover": (4 * new_device + 3 * large + 3 * night) * online - 11.8,
    }
    return pd.DataFrame(log_odds)


def _transactions(n_samples: int, rng: np.random.Generator) -> pd.DataFrame:
    """Who pays how much, when and where: nothing here knows of fraud."""
    n_customers = 10 + n_samples // 100
    outing = _outings(n_samples, n_customers, rng)
    customer, online = outing["customer"], outing["online"]
    day = outing["start"] + rng.exponential(0.04, n_samples) * (outing["size"] > 1)
    day = np.minimum(day, N_DAYS)
    usual = rng.lognormal(3.3, 0.6, n_customers)[customer]
    ratio = rng.lognormal(1.5 * outing["spree"], 0.6)
    opened = rng.exponential(900.0, n_customers)[customer]
    distance, disputes = _terminals(outing, n_customers, rng)
    payments, pause = _recent_payments(customer, day)
    features = {
        "day": day,
        "weekday": np.floor(day) % 7,
        "hour": day % 1 * 24,
        "amount": usual * ratio,
        "amount_to_usual": ratio,
        "online": online,
        "distance_km": distance * (1 - online),
        "terminal_disputes_28d": disputes * (1 - online),
        "payments_24h": payments,
        "hours_since_payment": pause,
        "device_age_days": rng.exponential(300.0, n_samples),
        "account_age_days": opened + day,
    }
    table = pd.DataFrame(features, dtype=np.float64)
    return table.sort_values("day", ignore_index=True)


def _outings(
    n_samples: int, n_customers: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """One row per payment; the payments of one outing share these columns."""
    several = rng.random(n_samples) < 0.06
    size = np.where(several, rng.geometric(0.3, n_samples), 1)
    activity = rng.gamma(2.0, size=n_customers)
    customer = rng.choice(n_customers, n_samples, p=activity / activity.sum())
    habit = rng.normal(14.0, 2.5, n_customers)
    hour = rng.normal(habit[customer], 3.5) % 24
    outings = {
        "customer": customer,
        "start": rng.integers(N_DAYS, size=n_samples) + hour / 24,
        "size": size,
        "online": rng.random(n_samples) < 0.3,
        "spree": rng.random(n_samples) < 0.03,
        "journey": rng.random(n_samples) < 0.015,
    }
    outing_of_payment = np.repeat(np.arange(n_samples), size)[:n_samples]
    return {name: column[outing_of_payment] for name, column in outings.items()}


def _terminals(
    outing: dict[str, NDArray[Any]], n_customers: int, rng: np.random.Generator
) -> tuple[Floats, Integers]:
    """Distance from home in km, and disputes at the terminal over the last 28 days."""
    n_samples, n_terminals = outing["customer"].size, 20 + n_customers // 2
    home = rng.uniform(0, 300, (n_customers, 2))
    place = rng.uniform(0, 300, (n_terminals, 2))
    nearest = np.asarray(cKDTree(place).query(home, k=10)[1])
    near = nearest[outing["customer"], rng.integers(10, size=n_samples)]
    anywhere = rng.integers(n_terminals, size=n_samples)
    terminal = np.where(outing["journey"], anywhere, near)
    distance = np.hypot(*(home[outing["customer"]] - place[terminal]).T)

    skimmed = rng.random(n_terminals) < 0.02
    since = outing["start"] - rng.uniform(-N_DAYS, N_DAYS, n_terminals)[terminal]
    active = skimmed[terminal] & (since > 0) & (since < 28)
    return distance, rng.poisson(0.05 + 4.0 * active)


def _recent_payments(customer: Integers, day: Floats) -> tuple[Integers, Floats]:
    """Payments of the customer in the 24 hours before, and hours since the last."""
    order = np.lexsort((day, customer))
    # One rising clock for all customers: two days lie between one and the next.
    clock = day[order] + customer[order] * (N_DAYS + 2.0)
    payments, pause = np.empty(day.size, dtype=np.int64), np.empty(day.size)
    payments[order] = np.arange(day.size) - np.searchsorted(clock, clock - 1.0)
    first = np.diff(customer[order], prepend=-1) > 0
    pause[order] = np.where(first, 30, np.minimum(np.diff(clock, prepend=0), 30)) * 24
    return payments, pause
