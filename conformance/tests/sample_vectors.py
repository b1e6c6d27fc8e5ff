"""A small suite to try the runner on, filled in by the reference; the figures in it were derived by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from clearspec import events as ev
from clearspec.codec import canonical_bytes, decode
from clearspec.formats import Importance, Vector, Why
from clearspec.sandbox import TRADING, genesis, with_market
from clearspec_conformance.formats import KernelCall, KernelVector, KernelVectorFormat, sealed
from clearspec_conformance.protocol import Compute
from clearspec_conformance.vectors import Case, Recorder, filled

WHY = Why("a class of bug", "its effect", "")


def deposits(box: Recorder) -> None:
    """100, then 11 more: 111."""
    box.open("alice", 100)
    box.do("alice", ev.Deposit("alice", "USD", 11))
    box.hand("observable.accounts.alice.balances.USD", 111, "100 + 11")


def rejections(box: Recorder) -> None:
    """An account of an unknown pool, of a taken id; a deposit by a stranger, of an unknown asset, repeated."""
    box.do("a", ev.OpenAccount("a", "none"), ev.Reason.UNKNOWN_POOL)
    box.open("a", 5)
    box.do("b", ev.OpenAccount("a", "main"), ev.Reason.ACCOUNT_EXISTS)
    box.do("b", ev.Deposit("a", "USD", 5), ev.Reason.UNAUTHORISED)
    box.do("a", ev.Deposit("a", "GOLD", 5), ev.Reason.ASSET_NOT_ACCEPTED)
    again = ev.Event("e3", 99, 0, "a", ev.Deposit("a", "USD", 5))
    box.send(again, ev.Reason.DUPLICATE_EVENT)
    box.send(replace(again, id="x", sequence=1), ev.Reason.SEQUENCE_NOT_INCREASING)


def contributions(box: Recorder) -> None:
    """Into both funds, and to a pool that is not there."""
    box.do("sponsor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 2**60))
    box.do("sponsor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 7))
    box.do("sponsor", ev.Contribute("none", ev.Fund.SKIN_IN_THE_GAME, 7), ev.Reason.UNKNOWN_POOL)


def fill(box: Recorder) -> None:
    """10 lots at 100 with a taker fee of 1 %: 10 atoms from the buyer, who is the taker."""
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.price(100)
    box.trade("alice", "bob", 10, 100)
    box.hand("observable.accounts.alice.balances.USD", 990, "1000 - 10 x 100 x 1 %")


def default(box: Recorder) -> None:
    """Long 10 from 100 with 120, price to 80: 120 - 200 = -80; the fund has 50, the tear-up takes 30."""
    box.do("sponsor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 50))
    box.open("alice", 120)
    box.open("bob", 1000)
    box.price(100)
    box.trade("alice", "bob", 10, 100)
    box.drive(80)
    box.do("anyone", ev.ResolveDefault("alice"))
    box.hand("receipt.amounts.deficit", 80, "10 x 20 - 120")
    box.hand("observable.accounts.bob.balances.USD", 1170, "1000 + 200 - 30")


FEES = with_market(trading=replace(TRADING, taker_fee=10**7))
CASES = (
    Case("ledger-deposits", "ledger", ("COLL-3", "LEDG-3"), WHY, Importance.CRITICAL, genesis(), deposits),
    Case("events-rejections", "events", ("EVENT-5", "COLL-3"), WHY, Importance.RULE, genesis(), rejections),
    Case("ledger-contributions", "ledger", ("COLL-9",), WHY, Importance.MESSAGE, genesis(), contributions),
    Case("trading-fill", "trading", ("TRADE-1", "TRADE-7"), WHY, Importance.CRITICAL, FEES, fill),
    Case("waterfall-default", "waterfall", ("FALL-5", "FALL-8"), WHY, Importance.CRITICAL, genesis(), default),
)

PENALTY = {"value": "1000", "ratio": "100000000", "net_liquidation_value": "30", "notional_held": "2000"}
CALLS = (
    ({"mul_floor": {"amount": "-7", "ratio": "500000000"}}, {"product": -4}),  # -3.5 down
    ({"median": {"values": ["9", "1", "4", "6"]}}, {"median": 5}),  # (4 + 6) / 2
    ({"filled": {"size": "3", "cost": "100", "delta": "-1", "price": "40"}}, {"size": 2, "cost": 67, "realised": 7}),
    # of 1000 a tenth is 100; the worth of 30 for 1000 of the 2000 held is 15
    (
        {
            "penalty_for": {
                "value": "1000",
                "ratio": "100000000",
                "net_liquidation_value": "30",
                "notional_held": "2000",
            }
        },
        {"penalty": 15},
    ),
)
"""Calls of kernels with results derived by hand."""


def kernel_vector() -> KernelVector:
    """The calls as a vector."""
    calls = tuple(KernelCall(decode(Compute, {"call": call}).call, results) for call, results in CALLS)
    rules = ("NUM-3", "NUM-7", "TRADE-1", "LIQ-4")
    vector: KernelVector = sealed(
        KernelVector(KernelVectorFormat.V1, "numerics-calls", 1, rules, Importance.RULE, WHY, calls, "")
    )
    return vector


def write(folder: Path, chapter: str, vector: Vector | KernelVector) -> Path:
    """Write a vector where a suite keeps it; returns its file."""
    path = folder / chapter / f"{vector.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(json.loads(canonical_bytes(vector)), indent=1), encoding="ascii")
    return path


def write_suite(folder: Path) -> Path:
    """Write the whole suite and its list for a smoke run; returns the folder."""
    for one in CASES:
        write(folder, one.chapter, filled(one))
    write(folder, "numerics", kernel_vector())
    (folder / "smoke.txt").write_text("# the quickest\nledger-deposits\nevents-rejections  # reasons\n")
    return folder
