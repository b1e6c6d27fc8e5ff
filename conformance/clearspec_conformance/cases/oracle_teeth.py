"""More vectors of the oracle: the side of no lots at all."""

from __future__ import annotations

from clearspec_conformance.vectors import kernel_case

kernel_case(
    "oracle-worst-price-101",
    "ORCL-9",
    kernel="worst_price",
    bug="no lots at all, like collateral, are valued as a short",
    effect="what is owned is worth more the older its price",
    calls=[
        # 1 % a second, 10 seconds: 10 % of 1,000 down
        ({"price": 1_000, "overdue": 10, "rate": 10**7, "cap": 10**9, "size": 0}, {"price": 900}),
    ],
)
