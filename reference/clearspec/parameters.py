"""Parameters of assets, feeds, pools and markets, and the safety envelope that they must stay inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from clearspec.fields import (
    Amount,
    AmountOrZero,
    Count,
    Duration,
    GapSteps,
    Id,
    Instant,
    Length,
    Multiple,
    Notional,
    OptionalId,
    PositiveCount,
    PositiveRatio,
    Price,
    ProperRatio,
    Ratio,
    SampleCount,
    SignedRatio,
    Size,
    SizeOrZero,
    SourceCount,
)
from clearspec.numerics import (
    HAIRCUT_STEPS_MAX,
    NOTIONAL_MAX,
    RATIO_MAX,
    SAMPLES_MAX,
    SCALE,
    SOURCES_MAX,
    TIERS_MAX,
    div_ceil,
    mul_ceil,
    mul_floor,
)
from clearspec.rules import rule


class Layer(StrEnum):
    """A layer of the default waterfall that may be ordered (FALL-3)."""

    INSURANCE_FUND = "insurance_fund"
    SKIN_IN_THE_GAME = "skin_in_the_game"
    TEAR_UP = "tear_up"
    GAINS_HAIRCUT = "gains_haircut"


FUND_LAYERS = (Layer.INSURANCE_FUND, Layer.SKIN_IN_THE_GAME)


class Aggregation(StrEnum):
    """How premium samples of an interval become one premium (FUND-2)."""

    MEAN = "mean"
    MEDIAN = "median"


class InterestForm(StrEnum):
    """How the interest component enters the rate (FUND-3)."""

    CLAMPED = "clamped"
    ADDED = "added"


class MarketKind(StrEnum):
    """A perpetual pays funding; a dated future has an expiry and pays none."""

    PERPETUAL = "perpetual"
    FUTURE = "future"


@rule("PARM-1")
@dataclass(frozen=True, slots=True)
class AssetParameters:
    """An asset: one whole unit is ``10 ** decimals`` atoms (display only)."""

    asset: Id
    decimals: Count


@rule("PARM-2")
@dataclass(frozen=True, slots=True)
class FeedParameters:
    """An oracle feed: who reports, how many must be fresh, how far one step may move.

    ``faulty`` is the number of sources that may lie; ``band`` a ratio per step of ``step_interval`` seconds;
    ``confidence`` the widest accepted confidence as a ratio of the price; ``max_price`` the price cap.
    """

    feed: Id
    sources: Annotated[tuple[Id, ...], Length(SOURCES_MAX)]
    quorum: SourceCount
    faulty: SourceCount
    max_age: Duration
    confidence: Ratio
    band: ProperRatio
    step_interval: Duration
    max_price: Price


@rule("PARM-3")
@dataclass(frozen=True, slots=True)
class CollateralTerms:
    """What a pool gives for an asset other than its settlement asset.

    ``unit`` is the number of atoms to which the feed's price refers; ``haircut`` and ``discount`` are ratios;
    ``cap`` the most atoms of the asset that the pool accepts; ``stale_rate`` a ratio per second of age.
    """

    asset: Id
    feed: Id
    unit: Amount
    haircut: Ratio
    discount: ProperRatio
    cap: AmountOrZero
    stale_rate: PositiveRatio


@rule("PARM-4")
@dataclass(frozen=True, slots=True)
class PoolParameters:
    """A margin pool: its settlement asset, collateral, default waterfall and limits on outflow (amounts in atoms).

    Collateral worth at most ``dust`` does not hold up a default; the insurance fund pays at most ``insurance_cap``
    for deficits in ``budget_interval`` seconds.
    """

    pool: Id
    settlement_asset: Id
    settlement_cap: Amount
    collateral: Annotated[tuple[CollateralTerms, ...], Length(16)]
    layers: Annotated[tuple[Layer, ...], Length(4)]
    negative_balance_limit: AmountOrZero
    gate_threshold: AmountOrZero
    profit_weight_initial: Ratio
    profit_cap_initial: AmountOrZero
    profit_weight_withdrawal: Ratio
    profit_cap_withdrawal: AmountOrZero
    withdrawal_margin: Ratio
    dust: AmountOrZero
    insurance_cap: AmountOrZero
    budget_interval: Duration
    backstop: OptionalId


@dataclass(frozen=True, slots=True)
class Tier:
    """Margin ratios of the slice of notional that ends at ``upper`` settlement atoms."""

    upper: Notional
    initial: PositiveRatio
    maintenance: PositiveRatio


@dataclass(frozen=True, slots=True)
class TradingParameters:
    """Limits in lots, ratios of notional. ``maker_fee`` below zero is a rebate."""

    max_position: Size
    max_open_interest: Size
    price_band: ProperRatio
    taker_fee: Ratio
    maker_fee: SignedRatio
    insurance_share: Ratio


@dataclass(frozen=True, slots=True)
class MarginParameters:
    """Tiers, and what raises initial margin only.

    Open interest scales between two notionals (``open_interest_upper`` 0 switches it off); ``size_slope`` is a
    ratio added per ``size_unit`` lots; ``multiplier`` multiplies the tiered initial requirement. A tightened
    maintenance requirement takes ``ramp`` seconds to arrive. ``gap_steps`` is the number of oracle steps that the
    lowest maintenance ratio must survive.
    """

    tiers: Annotated[tuple[Tier, ...], Length(TIERS_MAX)]
    open_interest_lower: AmountOrZero
    open_interest_upper: AmountOrZero
    size_slope: Ratio
    size_unit: Size
    multiplier: Multiple
    ramp: Duration
    gap_steps: GapSteps


@dataclass(frozen=True, slots=True)
class MarkParameters:
    """Mark price: smoothing window in samples, widest basis as a ratio of index, age penalty, variation interval."""

    window: PositiveCount
    band: ProperRatio
    stale_rate: Ratio
    stale_cap: ProperRatio
    variation_interval: Duration


@dataclass(frozen=True, slots=True)
class FundingParameters:
    """Funding: ratios per ``period`` seconds, accrued once per ``interval``, at most ``max_gap`` seconds at a time.

    Book samples are at least ``sample_interval`` seconds apart.
    """

    interval: Duration
    period: Duration
    max_gap: Duration
    sample_interval: Duration
    aggregation: Aggregation
    min_samples: SampleCount
    interest: SignedRatio
    interest_form: InterestForm
    damper: Ratio
    cap: Ratio


@dataclass(frozen=True, slots=True)
class LiquidationParameters:
    """Liquidation: ratios of closed notional, of health, of the requirement; sizes in lots, budgets in atoms."""

    penalty: ProperRatio
    reward: Ratio
    reward_floor: Ratio
    reward_budget: AmountOrZero
    close_factor: PositiveRatio
    critical_health: Ratio
    buffer: Ratio
    minimum: SizeOrZero
    insurance_cap: AmountOrZero
    budget_interval: Duration


@rule("PARM-5")
@dataclass(frozen=True, slots=True)
class MarketParameters:
    """All parameters of a market, by chapter; ``settlement_window`` in seconds."""

    trading: TradingParameters
    margin: MarginParameters
    mark: MarkParameters
    funding: FundingParameters
    liquidation: LiquidationParameters
    settlement_window: Duration


@dataclass(frozen=True, slots=True)
class MarketListing:
    """A market to be listed: the pool it belongs to, the feed of its index, its kind, its expiry (0: none)."""

    market: Id
    pool: Id
    feed: Id
    kind: MarketKind
    expiry: Instant
    parameters: MarketParameters


@dataclass(frozen=True, slots=True)
class Violation:
    """An inequality of the envelope that does not hold, and the two numbers that it compared."""

    inequality: str
    left: int
    right: int


@rule("PARM-6")
def grown(ratio: int, steps: int) -> int:
    """``(1 + ratio) ** steps`` as a ratio, at most ``RATIO_MAX``; every multiplication rounds up."""
    value = SCALE
    for _ in range(steps):
        value = min(RATIO_MAX, mul_ceil(value, SCALE + ratio))
    return value


@rule("PARM-6")
def shrunk(ratio: int, steps: int) -> int:
    """``(1 - ratio) ** steps`` as a ratio; every multiplication rounds down."""
    value = SCALE
    for _ in range(steps):
        value = mul_floor(value, SCALE - ratio)
    return value


def _violations(checks: Sequence[tuple[str, int, int]]) -> Iterator[Violation]:
    """Keep the checks ``(name, left, right)`` whose ``left <= right`` fails."""
    return (Violation(name, left, right) for name, left, right in checks if left > right)


@rule("PARM-7")
def tier_violations(tiers: Sequence[Tier]) -> Iterator[Violation]:
    """Tiers are present, ascend without a gap to the top, and never fall in either ratio."""
    yield from _violations([("tiers-present", 1, len(tiers))])
    lower, initial, maintenance = -1, 0, 0
    for tier in tiers:
        yield from _violations(
            [
                ("tiers-ascend", lower + 1, tier.upper),
                ("initial-never-falls", initial, tier.initial),
                ("maintenance-never-falls", maintenance, tier.maintenance),
                ("maintenance-at-most-initial", tier.maintenance, tier.initial),
            ]
        )
        lower, initial, maintenance = tier.upper, tier.initial, tier.maintenance
    yield from _violations([("tiers-reach-the-top", NOTIONAL_MAX, lower)])


@rule("PARM-8")
def funding_in_gap(funding: FundingParameters, seconds: int) -> int:
    """Largest funding that can be charged while ``seconds`` pass, as a ratio of notional; rounded up."""
    return div_ceil(funding.cap * (funding.max_gap + seconds), funding.period)


@rule("PARM-8")
def gap_violations(parameters: MarketParameters, feed: FeedParameters, maintenance: int) -> Iterator[Violation]:
    """The lowest maintenance ratio survives ``gap_steps`` adverse oracle steps, basis, penalty and funding.

    Inside one step the index may lie a band on either side of its anchor, so that ``gap_steps`` new steps move it by
    one band more than their number, from a band on the other side. Funding is charged on the index that has moved.
    """
    steps, band = parameters.margin.gap_steps, feed.band
    basis = parameters.mark.band
    penalty = parameters.liquidation.penalty
    funding = funding_in_gap(parameters.funding, (steps + 1) * feed.step_interval)
    rise = mul_ceil(grown(band, steps + 1), mul_ceil(SCALE + penalty, SCALE + basis) + funding)
    above = mul_floor(mul_floor(SCALE + maintenance, SCALE - basis), SCALE - band)
    below = mul_ceil(mul_ceil(SCALE - maintenance, SCALE + basis) + funding, SCALE + band)
    fall = mul_floor(mul_floor(shrunk(band, steps + 1), SCALE - penalty), SCALE - basis)
    yield from _violations([("gap-up", rise, above), ("gap-down", below, fall)])


@rule("PARM-14")
def gains_haircut_violations(parameters: MarketParameters, feed: FeedParameters) -> Iterator[Violation]:
    """A gains haircut takes no more than the price moved since the variation mark: less than initial margin covers.

    So an account that has just opened a position at initial margin survives the haircut that its side bears.
    """
    steps = div_ceil(parameters.mark.variation_interval, feed.step_interval) + 1
    if steps > HAIRCUT_STEPS_MAX:
        yield Violation("variation-steps-bounded", steps, HAIRCUT_STEPS_MAX)
        return
    initial = parameters.margin.tiers[0].initial if parameters.margin.tiers else 0
    moved = mul_ceil(SCALE + feed.band, SCALE + parameters.mark.band)
    covered = mul_floor(mul_floor(shrunk(feed.band, steps + 1), SCALE - parameters.mark.band), SCALE + initial)
    yield from _violations([("haircut-within-initial", moved, covered)])


@rule("PARM-9")
def market_violations(listing: MarketListing, feed: FeedParameters, maintenance: int) -> list[Violation]:
    """Every inequality of the envelope that a market's parameters break.

    ``maintenance`` is the lowest maintenance ratio in force while the parameters apply: the smaller of the new and
    the one that a ramp starts from.
    """
    parameters = listing.parameters
    trading, liquidation, margin = parameters.trading, parameters.liquidation, parameters.margin
    funding = parameters.funding
    highest_lower = margin.open_interest_upper - 1 if margin.open_interest_upper > 0 else margin.open_interest_lower
    found = list(tier_violations(margin.tiers))
    found += _violations(
        [
            ("position-notional-bounded", trading.max_position * feed.max_price, NOTIONAL_MAX),
            ("open-interest-bounded", trading.max_open_interest * feed.max_price, NOTIONAL_MAX),
            ("rebate-covered", -trading.maker_fee, trading.taker_fee),
            ("penalty-below-maintenance", liquidation.penalty + 1, maintenance),
            ("reward-at-most-penalty", liquidation.reward, liquidation.penalty),
            ("reward-floor-at-most-penalty", liquidation.reward_floor, liquidation.penalty),
            ("taker-fee-at-most-maintenance", trading.taker_fee, maintenance),
            ("maker-fee-at-most-maintenance", trading.maker_fee, maintenance),
            ("open-interest-scale-ordered", margin.open_interest_lower, highest_lower),
            ("funding-interval-within-gap", funding.interval, funding.max_gap),
            ("samples-fit", funding.interval, funding.sample_interval * SAMPLES_MAX),
        ]
    )
    found += gap_violations(parameters, feed, maintenance)
    found += gains_haircut_violations(parameters, feed)
    return found


@rule("PARM-9")
def expiry_violations(listing: MarketListing, time: int) -> list[Violation]:
    """A future, and only a future, is listed with an expiry, and with its settlement window still to come."""
    if listing.kind == MarketKind.FUTURE:
        opens = listing.expiry - listing.parameters.settlement_window
        return list(_violations([("settlement-window-to-come", time, opens)]))
    return list(_violations([("expiry-only-of-futures", listing.expiry, 0)]))


@rule("PARM-10")
def feed_violations(feed: FeedParameters) -> list[Violation]:
    """A quorum outvotes the faulty sources and can be reached; no source stands twice."""
    return list(
        _violations(
            [
                ("quorum-outvotes-faulty", 2 * feed.faulty + 1, feed.quorum),
                ("quorum-reachable", feed.quorum, len(feed.sources)),
                ("sources-distinct", len(feed.sources), len(set(feed.sources))),
            ]
        )
    )


@rule("PARM-11")
def pool_violations(pool: PoolParameters) -> list[Violation]:
    """Funds pay before losses are shared, layers and collateral stand once, a conversion beats its haircut."""
    shared = [place for place, layer in enumerate(pool.layers) if layer not in FUND_LAYERS]
    funds = [place for place, layer in enumerate(pool.layers) if layer in FUND_LAYERS]
    assets = [terms.asset for terms in pool.collateral] + [pool.settlement_asset]
    checks = [
        ("funds-before-sharing", max(funds, default=-1), min(shared, default=len(pool.layers))),
        ("layers-distinct", len(pool.layers), len(set(pool.layers))),
        ("collateral-distinct", len(assets), len(set(assets))),
        ("withdrawal-weight-at-most-initial", pool.profit_weight_withdrawal, pool.profit_weight_initial),
        ("withdrawal-cap-at-most-initial", pool.profit_cap_withdrawal, pool.profit_cap_initial),
    ]
    checks += [(f"discount-at-most-haircut {terms.asset}", terms.discount, terms.haircut) for terms in pool.collateral]
    return list(_violations(checks))


@rule("PARM-12")
def haircut_violations(
    terms: CollateralTerms, collateral_feed: FeedParameters, steps: int, step_interval: int
) -> list[Violation]:
    """A haircut covers the fall of its asset over ``steps`` oracle steps of a market, and the conversion discount."""
    own_steps = div_ceil((steps + 1) * step_interval, collateral_feed.step_interval) + 1
    if own_steps > HAIRCUT_STEPS_MAX:
        return [Violation(f"haircut-steps-bounded {terms.asset}", own_steps, HAIRCUT_STEPS_MAX)]
    covered = mul_floor(shrunk(collateral_feed.band, own_steps), SCALE - terms.discount)
    least = mul_ceil(SCALE - terms.haircut, SCALE + collateral_feed.band)
    return list(_violations([(f"haircut-covers-gap {terms.asset}", least, covered)]))


@rule("PARM-13")
def ramped(before: int, after: int, elapsed: int, duration: int) -> int:
    """Requirement between two tables while a ramp runs, rounded up; ``0 <= elapsed <= duration``."""
    return before + div_ceil((after - before) * elapsed, duration)


ENVELOPE: dict[str, str] = {
    "tiers-present": "PARM-7",
    "tiers-ascend": "PARM-7",
    "initial-never-falls": "PARM-7",
    "maintenance-never-falls": "PARM-7",
    "maintenance-at-most-initial": "PARM-7",
    "tiers-reach-the-top": "PARM-7",
    "gap-up": "PARM-8",
    "gap-down": "PARM-8",
    "position-notional-bounded": "PARM-9",
    "open-interest-bounded": "PARM-9",
    "rebate-covered": "PARM-9",
    "penalty-below-maintenance": "PARM-9",
    "reward-at-most-penalty": "PARM-9",
    "reward-floor-at-most-penalty": "PARM-9",
    "taker-fee-at-most-maintenance": "PARM-9",
    "maker-fee-at-most-maintenance": "PARM-9",
    "open-interest-scale-ordered": "PARM-9",
    "funding-interval-within-gap": "PARM-9",
    "samples-fit": "PARM-9",
    "settlement-window-to-come": "PARM-9",
    "expiry-only-of-futures": "PARM-9",
    "feed-markets-bounded": "PARM-9",
    "quorum-outvotes-faulty": "PARM-10",
    "quorum-reachable": "PARM-10",
    "sources-distinct": "PARM-10",
    "funds-before-sharing": "PARM-11",
    "layers-distinct": "PARM-11",
    "collateral-distinct": "PARM-11",
    "withdrawal-weight-at-most-initial": "PARM-11",
    "withdrawal-cap-at-most-initial": "PARM-11",
    "discount-at-most-haircut": "PARM-11",
    "haircut-steps-bounded": "PARM-12",
    "haircut-covers-gap": "PARM-12",
    "settlement-window-fixed": "PARM-13",
    "variation-steps-bounded": "PARM-14",
    "haircut-within-initial": "PARM-14",
}
"""Name of every inequality of the envelope (without the asset that some carry) and the rule that states it."""
