"""Vectors of geneses that must be refused, each with the rule for it, and of their neighbours that must not.

A market is judged at genesis as ``list_market`` judges it; the vectors of the chapter ``parameters`` list every
inequality of a market there. Those of feeds and pools can be shown at genesis alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.codec import canonical_bytes
from clearspec.formats import Importance
from clearspec.parameters import AssetParameters, FeedParameters, Layer, MarketKind, PoolParameters, Tier
from clearspec.sandbox import ETH, ETH_FEED, FEED, LISTING, MARGIN, MARKET, PERCENT, POOL, TRADING, genesis
from clearspec_conformance.vectors import genesis_case

CRITICAL = Importance.CRITICAL

GENESIS = genesis()
BARE = replace(POOL, collateral=())
DOGE = replace(ETH, asset="DOGE", feed="DOGE")
DOGE_FEED = replace(ETH_FEED, feed="DOGE")
DOLLARS = AssetParameters("USD", 6)


def with_feed(**changes: Any) -> ev.Genesis:
    """A genesis of one feed, changed, and nothing that looks at it."""
    return genesis(pool=BARE, markets=(), feeds=(replace(FEED, **changes),))


def with_pool(*more: PoolParameters, **changes: Any) -> ev.Genesis:
    """A genesis of the pool, changed, and of others, without a market."""
    return genesis(pool=replace(POOL, **changes), markets=(), pools=more)


def with_listing(**changes: Any) -> ev.Genesis:
    """A genesis of the market, changed."""
    return genesis(markets=(replace(LISTING, **changes),))


def sources(count: int) -> tuple[str, ...]:
    """Names of so many sources."""
    return tuple(f"s{number}" for number in range(1, count + 1))


def text(given: ev.Genesis = GENESIS) -> str:
    """The canonical text of a genesis."""
    return canonical_bytes(given).decode("ascii")


def changed(old: str, new: str) -> str:
    """The text of the genesis with one passage exchanged."""
    whole = text()
    assert whole.count(old) == 1, f"{old} stands there {whole.count(old)} times"
    return whole.replace(old, new)


THIN = replace(MARGIN.tiers[0], maintenance=3 * PERCENT)


def ladder(count: int) -> tuple[Tier, ...]:
    """So many tiers of 10 % and 5 %, one atom apart; the last reaches the top."""
    top = MARGIN.tiers[0].upper
    return tuple(Tier(top - count + place, 10 * PERCENT, 5 * PERCENT) for place in range(1, count + 1))


def laddered(count: int) -> ev.Genesis:
    """A genesis whose market has so many tiers."""
    return with_listing(parameters=replace(MARKET, margin=replace(MARGIN, tiers=ladder(count))))


# ---------------------------------------------------------------------------------------------------------------
# What hangs together

genesis_case(
    "events-genesis-001",
    "EVENT-2",
    bug="an id that stands twice takes the place of the first, or is passed over",
    effect="a market runs on other parameters than those that were read and agreed on",
    importance=CRITICAL,
    cases=(
        ("nothing stands twice", GENESIS, None),
        ("an asset twice", replace(GENESIS, assets=(*GENESIS.assets, AssetParameters("ETH", 18))), "EVENT-2"),
        ("a feed twice, with another band", replace(GENESIS, feeds=(*GENESIS.feeds, replace(FEED, band=0))), "EVENT-2"),
        ("a pool twice", with_pool(replace(POOL, dust=1)), "EVENT-2"),
        ("a market twice", replace(GENESIS, markets=(LISTING, replace(LISTING, feed="ETH"))), "EVENT-2"),
        ("the same market twice", replace(GENESIS, markets=(LISTING, LISTING)), "EVENT-2"),
        ("two pools with two backstops", with_pool(replace(POOL, pool="b", backstop="y"), backstop="x"), None),
        ("two pools without a backstop", with_pool(replace(POOL, pool="b")), None),
        ("two pools with one backstop", with_pool(replace(POOL, pool="b", backstop="x"), backstop="x"), "EVENT-2"),
        ("an asset, a feed, a pool and a market of one name", genesis(
            pool=replace(BARE, pool="USD", settlement_asset="USD"), feeds=(replace(FEED, feed="USD"),),
            markets=(replace(LISTING, market="USD", pool="USD", feed="USD"),)), None),
    ),
)  # fmt: skip

genesis_case(
    "events-genesis-002",
    "EVENT-2",
    bug="a genesis refers to what is not there, and is believed until the first event that needs it",
    effect="collateral has no price, and whoever posted it can neither be valued nor liquidated",
    importance=CRITICAL,
    cases=(
        ("a pool settles in what is not there", replace(GENESIS, assets=(AssetParameters("ETH", 0),)), "EVENT-2"),
        ("a pool takes an asset that is not there", replace(GENESIS, assets=(DOLLARS,)), "EVENT-2"),
        ("the second that it takes is not there", with_pool(collateral=(ETH, replace(DOGE, feed="ETH"))), "EVENT-2"),
        ("a pool's collateral has no feed", replace(with_pool(), feeds=(FEED,)), "EVENT-2"),
        ("the second has no feed", replace(
            with_pool(collateral=(ETH, DOGE)), assets=(*GENESIS.assets, AssetParameters("DOGE", 8))), "EVENT-2"),
        ("both have one", replace(
            with_pool(collateral=(ETH, DOGE)), assets=(*GENESIS.assets, AssetParameters("DOGE", 8)),
            feeds=(*GENESIS.feeds, DOGE_FEED)), None),
        ("a market of a pool that is not there", with_listing(pool="other"), "EVENT-2"),
        ("a market on a feed that is not there", with_listing(feed="SOL"), "EVENT-2"),
        ("a market on a pool's name", with_listing(feed="main"), "EVENT-2"),
        ("ids are compared letter by letter", with_listing(pool="Main"), "EVENT-2"),
        ("a pool without markets, and feeds that nobody looks at", replace(with_pool(), feeds=(FEED, ETH_FEED)), None),
    ),
)  # fmt: skip

genesis_case(
    "events-genesis-003",
    "EVENT-2",
    "PARM-9",
    bug="a market that is there from the beginning is not held to the envelope of one that is listed later",
    effect="the first market can be drained as no later one can",
    importance=CRITICAL,
    cases=(
        ("a rebate as high as the fee", with_listing(parameters=replace(
            MARKET, trading=replace(TRADING, taker_fee=5, maker_fee=-5))), None),
        ("a rebate above it", with_listing(parameters=replace(
            MARKET, trading=replace(TRADING, taker_fee=5, maker_fee=-6))), "PARM-9"),
        ("no tier", with_listing(parameters=replace(MARKET, margin=replace(MARGIN, tiers=()))), "PARM-7"),
        ("maintenance of 3 %: 1.01^2 x 1.01 for steps and penalty is above 1.03 x 0.99", with_listing(
            parameters=replace(MARKET, margin=replace(MARGIN, tiers=(THIN,)))), "PARM-8"),
        ("a variation interval of more than 4,095 steps", with_listing(parameters=replace(
            MARKET, mark=replace(MARKET.mark, variation_interval=4_096))), "PARM-14"),
        ("a perpetual with an expiry", with_listing(expiry=1), "PARM-9"),
        ("a future whose window of 600 opens now", with_listing(kind=MarketKind.FUTURE, expiry=600), None),
        ("a future whose window has opened", with_listing(kind=MarketKind.FUTURE, expiry=599), "PARM-9"),
        ("the second of two markets", replace(GENESIS, markets=(
            LISTING, replace(LISTING, market="NEW", expiry=1))), "PARM-9"),
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------
# Feeds

genesis_case(
    "parameters-genesis-feed-001",
    "PARM-10",
    bug="the quorum is held against the faulty sources, not against twice as many and one",
    effect="two faulty sources of three fresh ones make the price",
    importance=CRITICAL,
    cases=(
        ("one of one, none faulty", with_feed(sources=sources(1), quorum=1, faulty=0), None),
        ("a quorum of none: 2 x 0 + 1 is above 0", with_feed(sources=sources(1), quorum=0, faulty=0), "PARM-10"),
        ("one faulty, 2 x 1 + 1 = 3", with_feed(sources=sources(3), quorum=3, faulty=1), None),
        ("one faulty and a quorum of 2", with_feed(sources=sources(3), quorum=2, faulty=1), "PARM-10"),
        ("two faulty, 2 x 2 + 1 = 5", with_feed(sources=sources(5), quorum=5, faulty=2), None),
        ("two faulty and a quorum of 4", with_feed(sources=sources(5), quorum=4, faulty=2), "PARM-10"),
        ("two faulty and a quorum of 3", with_feed(sources=sources(5), quorum=3, faulty=2), "PARM-10"),
    ),
)  # fmt: skip

genesis_case(
    "parameters-genesis-feed-002",
    "PARM-10",
    "NUM-1",
    bug="a quorum may be higher than the number of sources, or a source counts as often as it is named",
    effect="a market never has a price, or one source has two votes",
    importance=CRITICAL,
    cases=(
        ("a quorum of 4 among 3", with_feed(sources=sources(3), quorum=4, faulty=1), "PARM-10"),
        ("no source", with_feed(sources=(), quorum=1, faulty=0), "PARM-10"),
        ("a source twice", with_feed(sources=("s1", "s2", "s1"), quorum=3, faulty=1), "PARM-10"),
        ("31 sources, 15 faulty", with_feed(sources=sources(31), quorum=31, faulty=15), None),
        ("32 sources", text(with_feed(sources=sources(32), quorum=31, faulty=15)), "EVENT-3"),
        ("the second of two feeds", replace(GENESIS, feeds=(FEED, replace(ETH_FEED, quorum=2))), "PARM-10"),
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------
# Pools

FUND, SKIN, TEAR, CUT = Layer.INSURANCE_FUND, Layer.SKIN_IN_THE_GAME, Layer.TEAR_UP, Layer.GAINS_HAIRCUT

genesis_case(
    "parameters-genesis-pool-001",
    "PARM-11",
    bug="users may be charged before the house, or one layer be asked twice",
    effect="a position is torn up while the insurance fund is full",
    importance=CRITICAL,
    cases=(
        ("no layer", with_pool(layers=()), None),
        ("the funds in the other order", with_pool(layers=(SKIN, FUND, CUT, TEAR)), None),
        ("no fund", with_pool(layers=(CUT, TEAR)), None),
        ("no shared layer", with_pool(layers=(FUND, SKIN)), None),
        ("a fund behind a shared layer", with_pool(layers=(TEAR, FUND)), "PARM-11"),
        ("a fund between them", with_pool(layers=(FUND, TEAR, SKIN, CUT)), "PARM-11"),
        ("a fund behind the second of them", with_pool(layers=(FUND, CUT, TEAR, SKIN)), "PARM-11"),
        ("a fund twice", with_pool(layers=(FUND, FUND)), "PARM-11"),
        ("a shared layer twice", with_pool(layers=(FUND, TEAR, TEAR)), "PARM-11"),
        ("the second of two pools", with_pool(replace(POOL, pool="b", layers=(TEAR, FUND))), "PARM-11"),
    ),
)  # fmt: skip

genesis_case(
    "parameters-genesis-pool-002",
    "PARM-11",
    bug="profit that carries no risk may leave, or an asset counts twice as collateral",
    effect="what is not good enough for margin is paid out",
    importance=CRITICAL,
    cases=(
        ("as much may leave as carries risk", with_pool(
            profit_weight_initial=7, profit_weight_withdrawal=7, profit_cap_initial=9, profit_cap_withdrawal=9), None),
        ("a greater part may leave", with_pool(profit_weight_initial=7, profit_weight_withdrawal=8), "PARM-11"),
        ("more of it may leave", with_pool(profit_cap_initial=9, profit_cap_withdrawal=10), "PARM-11"),
        ("an asset twice", with_pool(collateral=(ETH, ETH)), "PARM-11"),
        ("an asset twice, on two feeds", with_pool(collateral=(ETH, replace(ETH, feed="BTC"))), "PARM-11"),
        ("the settlement asset as collateral", with_pool(collateral=(replace(ETH, asset="USD"),)), "PARM-11"),
    ),
)  # fmt: skip

STEADY = replace(ETH_FEED, band=0)
PLUNGE = replace(ETH_FEED, band=PERCENT)


def backed(*terms: Any, feeds: tuple[FeedParameters, ...] = (FEED, PLUNGE)) -> ev.Genesis:
    """A genesis of a pool with these collateral terms, without a market."""
    assets = (*GENESIS.assets, AssetParameters("DOGE", 8))
    return replace(genesis(pool=replace(POOL, collateral=terms), markets=(), feeds=feeds), assets=assets)


LEAST = replace(ETH, haircut=87_342_525)
"""0.99^3 x 0.95 / 1.01 = 0.91265747..: the least haircut for a band of 1 % and a discount of 5 % over three steps."""

genesis_case(
    "parameters-genesis-haircut-001",
    "PARM-11",
    "PARM-12",
    bug="a haircut does not cover the discount of a conversion, or the fall before it",
    effect="an account that is sound on paper ends in deficit by its collateral alone",
    importance=CRITICAL,
    cases=(
        ("still price, haircut and discount 5 %", backed(
            replace(ETH, haircut=5 * PERCENT, discount=5 * PERCENT), feeds=(FEED, STEADY)), None),
        ("still price, the discount an atom more", backed(
            replace(ETH, haircut=5 * PERCENT, discount=5 * PERCENT + 1), feeds=(FEED, STEADY)), "PARM-11"),
        ("the least haircut over three steps", backed(LEAST), None),
        ("an atom less: enough for two steps, not for three", backed(replace(LEAST, haircut=87_342_524)), "PARM-12"),
        ("the second of two assets, by its discount", backed(
            LEAST, replace(DOGE, feed="ETH", haircut=5 * PERCENT, discount=6 * PERCENT)), "PARM-11"),
        ("the second of two assets, by its fall", backed(
            LEAST, replace(LEAST, asset="DOGE", haircut=87_342_524)), "PARM-12"),
        ("both at the least", backed(LEAST, replace(LEAST, asset="DOGE")), None),
        ("no haircut on what cannot fall", backed(
            replace(ETH, haircut=0, discount=0), feeds=(FEED, STEADY)), None),
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------
# Decoding

genesis_case(
    "events-genesis-101",
    "EVENT-3",
    "EVENT-2",
    "NUM-1",
    bug="a genesis is read with a lenient parser, so that what is lacking or misspelt gets a default",
    effect="a clearinghouse starts with a limit that nobody has written",
    cases=(
        ("as it is", text(), None),
        ("its keys in another order and with space", text().replace(",", " , ").replace(":", " : "), None),
        ("nothing", "", "EVENT-3"),
        ("an empty object", "{}", "EVENT-3"),
        ("a list", f"[{text()}]", "EVENT-3"),
        ("cut off", text()[:-1], "EVENT-3"),
        ("with something behind it", text() + " {}", "EVENT-3"),
        ("a field is lacking", changed('"quorum":"1","sources":["s1"],"step_interval":"1"}],"m',
                                       '"sources":["s1"],"step_interval":"1"}],"m'), "EVENT-3"),
        ("a field that nobody knows", changed('"venues":["venue"]', '"venues":["venue"],"chain":"1"'), "EVENT-3"),
        ("a field twice", changed('"venues":["venue"]', '"venues":["venue"],"venues":["venue"]'), "EVENT-3"),
        ("a bare number", changed('"settlement_window":"600"', '"settlement_window":600'), "EVENT-3"),
        ("a leading zero", changed('"settlement_window":"600"', '"settlement_window":"0600"'), "EVENT-3"),
        ("a sign of plus", changed('"settlement_window":"600"', '"settlement_window":"+600"'), "EVENT-3"),
        ("a fraction", changed('"settlement_window":"600"', '"settlement_window":"600.0"'), "EVENT-3"),
        ("below its bound", changed('"settlement_window":"600"', '"settlement_window":"0"'), "EVENT-3"),
        ("above its bound", changed('"settlement_window":"600"', f'"settlement_window":"{2**32 + 1}"'), "EVENT-3"),
        ("not there", changed('"settlement_window":"600"', '"settlement_window":null'), "EVENT-3"),
        ("a kind that nobody knows", changed('"kind":"perpetual"', '"kind":"option"'), "EVENT-3"),
        ("a layer that nobody knows", changed('"tear_up"', '"prayer"'), "EVENT-3"),
        ("an empty id", changed('"market":"BTC-PERP"', '"market":""'), "EVENT-3"),
        ("an id of 65 characters", changed('"market":"BTC-PERP"', f'"market":"{"M" * 65}"'), "EVENT-3"),
        ("an id of 64 characters", changed('"market":"BTC-PERP"', f'"market":"{"M" * 64}"'), None),
        ("an id with a blank", changed('"market":"BTC-PERP"', '"market":"BTC PERP"'), "EVENT-3"),
        ("eight tiers", laddered(8), None),
        ("nine tiers", text(laddered(9)), "EVENT-3"),
        ("16 administrators", replace(GENESIS, administrators=sources(16)), None),
        ("17 administrators", text(replace(GENESIS, administrators=sources(17))), "EVENT-3"),
        ("five layers", changed('"tear_up","gains_haircut"]', '"tear_up","gains_haircut","tear_up"]'), "EVENT-3"),
        ("65 levels", changed('"market":"BTC-PERP"', '"market":' + "[" * 65 + "]" * 65), "EVENT-3"),
    ),
)  # fmt: skip
