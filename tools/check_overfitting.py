"""Computes what a sweep's report says of luck once more from the sweep's own file, by numpy and scipy.

    python tools/check_overfitting.py NAME.sweep.json NAME.sweep.report.json

Sharpe ratios, moments, the deflated ratio and the cross-validation by halves are those of the papers' formulas; Hansen's t is by
the covariances of the stationary bootstrap without a cut. The bootstrap's p is by other random numbers, and may differ by what
as many resamples differ. Fails where anything else does.
"""

import argparse
import itertools
import json
import math
import sys

import numpy as np
from scipy import stats

EULER = 0.5772156649015329


def matrix(sweep, together):
    """Net returns, slices × settings: capture by capture, `together` slices of the file in one."""
    settings, captures = sweep["settings"], sweep["captures"]
    columns = []
    for setting in settings:
        parts = []
        for place in range(len(captures)):
            net = np.array(sweep["rows"][place * len(settings) + setting["number"]]["slice_net"]) / setting["buy_amount"]
            parts += [net[at : at + together].sum() for at in range(0, len(net), together)]
        columns.append(parts)
    return np.array(columns).T


def sharpes(returns):
    deviation = returns.std(axis=0, ddof=1)
    traded = np.abs(returns).max(axis=0) > 0
    return np.where(traded, returns.mean(axis=0) / np.where(deviation > 0, deviation, 1), np.nan)


def expected_maximum(trials, variance):
    if trials <= 1:
        return 0.0
    quantile = stats.norm.ppf
    return math.sqrt(variance) * max(0.0, (1 - EULER) * quantile(1 - 1 / trials) + EULER * quantile(1 - 1 / (trials * math.e)))


def deflated(returns):
    ratios = sharpes(returns)
    best = int(np.nanargmax(ratios))
    slices, trials = len(returns), int(np.isfinite(ratios).sum())
    of_best = returns[:, best]
    skewness, kurtosis = stats.skew(of_best), stats.kurtosis(of_best, fisher=False)
    found = {"best": best, "sharpe": ratios[best], "trials": trials, "effective_trials": 1.0, "variance_between": 0.0}
    if trials > 1:
        pairs = np.corrcoef(returns[:, np.isfinite(ratios)].T)
        mean = pairs[np.triu_indices(trials, 1)].mean()
        found |= {"mean_correlation": mean, "effective_trials": max(mean, 0) + (1 - max(mean, 0)) * trials}
        found["variance_between"] = np.nanvar(ratios, ddof=1)
    found["variance"] = min(found["variance_between"], 1 / (slices - 1))
    spread = math.sqrt(1 - skewness * ratios[best] + (kurtosis - 1) / 4 * ratios[best] ** 2)
    above = lambda bar: stats.norm.cdf((ratios[best] - bar) * math.sqrt(slices - 1) / spread)
    found["expected_maximum"] = expected_maximum(found["effective_trials"], found["variance"])
    found["probability"] = above(found["expected_maximum"])
    found["probability_all"] = above(expected_maximum(trials, found["variance"]))
    found["probability_unbounded"] = above(expected_maximum(found["effective_trials"], found["variance_between"]))
    found["probability_alone"] = above(0.0)
    return found, {"skewness": skewness, "kurtosis": kurtosis, "mean": of_best.mean(), "deviation": of_best.std(ddof=1)}


def ratio_of_half(half):
    """The ratios that choose and rank: 0 where a setting earned nothing."""
    deviation = half.std(axis=0, ddof=1)
    return np.where(np.abs(half).max(axis=0) > 0, half.mean(axis=0) / np.where(deviation > 0, deviation, 1), 0.0)


def cross_validation(returns, blocks):
    returns = returns[:, np.abs(returns).max(axis=0) > 0]
    slices, settings = returns.shape
    # Slice k is in the block that holds it where blocks are as even as they can be.
    of_slice = (np.arange(1, slices + 1) * blocks - 1) // slices
    logits, losses = [], []
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        within = np.isin(of_slice, chosen)
        here, there = ratio_of_half(returns[within]), ratio_of_half(returns[~within])
        best = np.flatnonzero(here == here.max())
        relative = stats.rankdata(there)[best].mean() / (settings + 1)
        logits.append(math.log(relative / (1 - relative)))
        losses.append((returns[~within][:, best].sum(axis=0) < 0).mean())
    logits = np.array(logits)
    # 0 but for rounding is the middle rank.
    logits[np.abs(logits) < 1e-9] = 0
    return {
        "splits": len(logits),
        "probability": ((logits < 0) + (logits == 0) / 2).mean(),
        "loss_probability": float(np.mean(losses)),
        "median_logit": np.sort(logits)[(len(logits) - 1) // 2],
    }


def kernel(slices, block):
    """How much of the autocovariance at each lag from 0 is in the variance of a resample's √n · mean."""
    lags = np.arange(slices)
    goes_on = 1 - 1 / block
    weights = (slices - lags) / slices * goes_on**lags + lags / slices * goes_on ** (slices - lags)
    return np.where(lags == 0, 0.5, weights)


def stationary_bootstrap(slices, block, replicates, random):
    starts = random.integers(slices, size=(replicates, slices))
    is_new = random.random((replicates, slices)) < 1 / block
    is_new[:, 0] = True
    at = starts
    for step in range(1, slices):
        at[:, step] = np.where(is_new[:, step], starts[:, step], (at[:, step - 1] + 1) % slices)
    return at


def reality_check(returns, block, replicates, seed=12345):
    slices = len(returns)
    mean, centred = returns.mean(axis=0), returns - returns.mean(axis=0)
    # Hansen (2005), ω² by the covariances that are not circular and the kernel with both of its terms.
    weights = kernel(slices, block)
    covariances = np.array([(centred[lag:] * centred[: slices - lag]).sum(axis=0) / slices for lag in range(slices)])
    variance = 2 * (weights[:, None] * covariances).sum(axis=0)
    goes_on, lags = 1 - 1 / block, np.arange(1, slices)
    widened = math.sqrt(1 / (1 - (1 + 2 * ((1 - lags / slices) * goes_on**lags).sum()) / slices))
    traded = np.abs(centred).max(axis=0) > 0
    omega = np.where(traded, np.sqrt(np.where(traded, variance, 1)) * widened, np.inf)
    t = math.sqrt(slices) * mean / omega
    kept = {
        "lower": np.minimum(mean, 0),
        "consistent": np.where(t >= -math.sqrt(2 * math.log(math.log(slices))), 0, mean),
        "upper": np.zeros_like(mean),
    }
    drawn = stationary_bootstrap(slices, block, replicates, np.random.default_rng(seed))
    times = np.apply_along_axis(np.bincount, 1, drawn, minlength=slices)
    deviations = widened * (times @ returns / slices - mean)
    root = math.sqrt(slices)
    share = lambda reached: (1 + reached.sum()) / (1 + replicates)
    statistic = max(t.max(), 0.0)
    p = {name: share(np.maximum((root * (deviations + kept) / omega).max(axis=1), 0) >= statistic) for name, kept in kept.items()}
    p["white"] = share((root * deviations).max(axis=1) >= (root * mean).max())
    return {"statistic": (root * mean).max(), "spa": statistic}, p


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep")
    parser.add_argument("report")
    arguments = parser.parse_args()
    with open(arguments.sweep) as file:
        sweep = json.load(file)
    with open(arguments.report) as file:
        report = json.load(file)

    returns = matrix(sweep, report["counts"]["slices_together"])
    failures, compared = [], 0

    def compare(where, reported, expected, tolerance=1e-8):
        nonlocal compared
        compared += 1
        if reported is None or not math.isclose(reported, expected, rel_tol=tolerance, abs_tol=tolerance):
            failures.append(f"{where} is {reported!r}, by numpy {float(expected)!r}")

    compare("slices", report["counts"]["slices"], len(returns))
    if found := report["deflated"]:
        expected, moments = deflated(returns)
        for name, value in expected.items():
            compare(f"deflated.{name}", found[name], value)
        for name, value in moments.items():
            compare(f"deflated.moments.{name}", found["moments"][name], value)
        if found["best"] != report["top"][0]["number"]:
            failures.append(f"the best is setting {found['best']}, the table begins with {report['top'][0]['number']}")
        print(f"deflated Sharpe ratio {expected['probability']:.4f} by scipy")
    if found := report["cross_validation"]:
        expected = cross_validation(returns, found["blocks"])
        for name, value in expected.items():
            compare(f"cross_validation.{name}", found[name], value)
        print(f"backtest overfitting {expected['probability']:.4f} by numpy, {expected['splits']} splits")
    if found := report["reality_check"]:
        expected, p = reality_check(returns, found["block_slices"], found["replicates"])
        compare("reality_check.statistic", found["statistic"], expected["statistic"])
        compare("reality_check.spa.statistic", found["spa"]["statistic"], expected["spa"])
        for name, value in p.items():
            reported = found["white"] if name == "white" else found["spa"][name]
            # Five standard errors of the difference of two shares.
            compare(f"p, {name}", reported, value, 5 * math.sqrt(2 * (value * (1 - value) + 1 / found["replicates"]) / found["replicates"]))
        print(f"reality check p {p['consistent']:.4f} (Hansen), {p['white']:.4f} (White) by numpy's random numbers")
    if not report["deflated"]:
        print("SKIPPED: too few slices or no trades, nothing is judged")
    if failures:
        sys.exit("check_overfitting: " + "; ".join(failures))
    print(f"check_overfitting: {compared} figures of {arguments.report} are the same")


if __name__ == "__main__":
    main()
