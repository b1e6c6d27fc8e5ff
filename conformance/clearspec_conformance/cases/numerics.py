"""Vectors of the named divisions, shares and medians, as kernel calls."""

from __future__ import annotations

from clearspec_conformance.vectors import kernel_case

THIRD = 333_333_333

kernel_case(
    "numerics-mul-floor-001",
    "NUM-3",
    "NUM-2",
    kernel="mul_floor",
    bug="division truncates toward zero where the rule says down",
    effect="a negative amount is rounded in the wrong direction by one atom",
    calls=[
        ({"amount": 2, "ratio": 500_000_000}, {"product": 1}),  # 1.0 exactly
        ({"amount": 1, "ratio": 999_999_999}, {"product": 0}),  # just below 1
        ({"amount": 3, "ratio": THIRD}, {"product": 0}),  # 0.999999999
        ({"amount": 1, "ratio": 1_000_000_001}, {"product": 1}),  # just above 1
        ({"amount": -2, "ratio": 500_000_000}, {"product": -1}),  # -1.0 exactly
        ({"amount": -1, "ratio": 999_999_999}, {"product": -1}),  # just above -1, down to -1
        ({"amount": -1, "ratio": 1_000_000_001}, {"product": -2}),  # just below -1, down to -2
        ({"amount": 0, "ratio": 1}, {"product": 0}),
    ],
)
