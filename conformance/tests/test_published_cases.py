"""Published cases of real venues: every case is classified once, and what can be computed is computed."""

import json
import os
import re
from collections import Counter
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest

from clearspec_conformance.published import (
    CHECKS,
    SYSTEMS,
    Class,
    agrees,
    answer,
    counts,
    load,
    normal,
    page,
    reproduces,
)

CASES = load()
BY_ID = {case.id: case for case in CASES}
SAME = [case for case in CASES if case.classification == Class.SAME]
PINNED = [case for case in CASES if case.classification == Class.DIFFERENCE and case.ours]
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "published-cases.md"

FAMILIES = {
    "deribit_margin_requirement": 2,
    "drift_bankruptcy": 4,
    "drift_expiry_price": 4,
    "drift_fees": 8,
    "drift_funding_rate": 4,
    "drift_insurance_fund": 6,
    "drift_liquidation": 6,
    "drift_liquidation_fee": 5,
    "drift_margin_requirement": 16,
    "drift_pnl": 8,
    "drift_position": 5,
    "dydx.account_risk": 4,
    "dydx.bankruptcy_price": 5,
    "dydx.deleveraging": 10,
    "dydx.funding_payment": 5,
    "dydx.funding_rate": 10,
    "dydx.insurance_fund": 8,
    "dydx.liquidation": 9,
    "dydx.margin_requirement": 11,
    "dydx.median": 10,
    "dydx.open_interest": 2,
    "dydx.oracle_price": 18,
    "dydx.premium_price": 8,
    "dydx.withdrawal_gating": 9,
    "venues_funding_pnl": 3,
    "venues_liquidation_price": 7,
    "venues_margin_tiers": 4,
}


def family(case_id: str) -> str:
    """Subject of a case: its id without the test and the number."""
    if case_id.startswith("dydx."):
        return ".".join(case_id.split(".")[:2])
    return case_id.rsplit("_", 1)[0]


def ids(case):
    return case.id


def rules_of_the_spec():
    """Ids of the rules that the chapters of the spec hold."""
    chapters = (path.read_text(encoding="utf-8") for path in (ROOT / "spec").glob("*.md"))
    return {found for text in chapters for found in re.findall(r"^## ([A-Z]+-[1-9][0-9]*) ", text, re.MULTILINE)}


RULES = rules_of_the_spec()


def test_every_case_is_classified_exactly_once():
    assert Counter(family(case.id) for case in CASES) == FAMILIES
    assert len(CASES) == len(BY_ID) == sum(FAMILIES.values()) == 191
    for venue, tally in counts(CASES).items():
        print(f"{venue:12}", *(f"{kind.value} {tally[kind]:3}" for kind in Class))
    print(f"{'all':12}", *(f"{kind.value} {sum(case.classification == kind for case in CASES):3}" for kind in Class))


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_a_case_says_why_and_cites_its_source(case):
    assert case.basis in (SYSTEMS if case.classification == Class.OUT_OF_SCOPE else RULES)
    assert case.reason.endswith((".", ".)"))
    assert all(case.source[name] for name in ("repo", "path", "test", "case"))
    assert re.fullmatch("[0-9a-f]{40}", case.source.get("commit", "0" * 40))
    assert case.source["path"].startswith("https://") or "commit" in case.source


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_a_case_carries_what_its_class_needs(case):
    given = [case.check, case.facts, case.published]
    if case.classification == Class.SAME:
        assert all(given)
        assert not case.ours
    elif case.classification == Class.DIFFERENCE and case.check:
        assert all([*given, case.ours, case.by_hand])
    else:
        assert not any([*given, case.ours])
    assert Fraction(case.tolerance) <= Fraction(1, 200)


@pytest.mark.parametrize("case", SAME, ids=ids)
def test_the_reference_gives_the_published_number(case):
    found = answer(case)
    assert reproduces(case, found), f"published {case.published}, found {found}"


@pytest.mark.parametrize("case", PINNED, ids=ids)
def test_the_reference_gives_our_number_where_it_differs(case):
    found = answer(case)
    assert agrees(case.ours, found), f"by hand {case.ours}, found {found}"
    assert not reproduces(case, found)


def bent(value):
    """A value that is wrong by one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return [*value[:-1], bent(value[-1])] if value else [1]
    if isinstance(value, dict):
        last = list(value)[-1]
        return {**value, last: bent(value[last])}
    number = normal(value)
    return str(number + 1) if isinstance(number, Fraction) else ""


@pytest.mark.parametrize("case", SAME, ids=ids)
def test_a_wrong_published_number_is_noticed(case):
    found = answer(case)
    for name in case.published:
        wrong = {**case.published, name: bent(case.published[name])}
        assert not agrees({name: wrong[name]}, {**found, "error": "e"}, case.tolerance), name


def test_every_check_is_used():
    assert {case.check for case in CASES} - {""} == set(CHECKS)


def test_the_facts_hold_no_float():
    def refuse(text):
        raise AssertionError(f"{text} is a float")

    text = files("clearspec_conformance").joinpath("published_cases.json").read_text(encoding="utf-8")
    json.loads(text, parse_float=refuse)


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(CASES)


# Agreement with the files that the cases were taken from. The facts carry shorter names; everything else is as it was.

SHORTER = {
    "perpetuals": "markets",
    "perpetual_id": "market",
    "base_atomic_resolution": "base_exponent",
    "oracle_price": "price",
    "oracle_price_exponent": "exponent",
    "price_exponent": "exponent",
    "initial_margin_ppm": "initial_ppm",
    "maintenance_fraction_ppm": "maintenance_share_ppm",
    "open_interest_lower_cap": "interest_lower",
    "open_interest_upper_cap": "interest_upper",
    "open_interest_base_quantums": "interest",
    "open_interest_notional_quote": "interest_value",
    "position_notional_quote": "value",
    "position_base_quantums": "size",
    "base_quantums": "size",
    "usdc_quantums": "cash",
    "funding_index_now": "index_now",
    "funding_index_last": "index_last",
    "funding_index_at_last_settlement": "index_last",
    "perpetual_updates": "updates",
    "base_quantums_delta": "delta",
    "delta_base_quantums": "delta",
    "net_collateral": "equity",
    "initial_margin": "initial",
    "maintenance_margin": "maintenance",
    "initial_margin_quote": "initial",
    "maintenance_margin_quote": "maintenance",
    "maintenance_margin_ppm": "maintenance_ppm",
    "adjusted_initial_margin_ppm": "initial_ppm",
    "bankruptcy_price_quote_quantums": "received",
    "max_liquidation_fee_ppm": "fee_ppm",
    "quantum_conversion_exponent": "fill_exponent",
    "fill_base_quantums": "fill_size",
    "fill_subticks": "fill_price",
    "insurance_fund_delta_quote": "insurance",
    "insurance_fund_balance": "fund",
    "insurance_fund_delta": "fund_change",
    "collateral_pool_balance": "pool",
    "net_settlement_ppm": "settled",
    "usdc_before": "cash",
    "funding_paid_per_perpetual": "funding_paid",
    "usdc_after": "cash_after",
    "clamp_factor_ppm": "clamp_ppm",
    "funding_rate_clamp_factor_ppm": "clamp_ppm",
    "max_abs_rate_ppm": "max_abs_ppm",
    "funding_rate_8h_ppm": "rate_ppm",
    "funding_index_delta": "index_delta",
    "seconds_since_last": "seconds",
    "default_funding_ppm": "default_ppm",
    "funding_sample_duration_s": "sample_s",
    "funding_tick_duration_s": "tick_s",
    "min_num_votes_per_sample": "votes_least",
    "num_premium_vote_rounds": "rounds",
    "premium_votes": "votes",
    "premium_sample_ppm": "premium_ppm",
    "index_subticks": "index",
    "subticks": "price",
    "impact_notional_quote": "impact_value",
    "step_base_quantums": "step",
    "min_position_notional_liquidated": "least_notional",
    "max_position_portion_liquidated_ppm": "portion_ppm",
    "max_insurance_lost_per_block": "limit",
    "previous_insurance_lost": "insurance_lost",
    "max_insurance_lost": "insurance_left",
    "max_notional_liquidatable": "notional_left",
    "blocked_for_blocks": "blocks",
    "current_block": "block",
    "update_type": "kind",
    "negative_tnc_seen_at_block_by_pool": "seen_by_pool",
    "negative_tnc_seen_at_block": "deficit_seen",
    "chain_outage_seen_at_block": "outage_seen",
    "unblocked_at_block": "unblocked_at",
    "updates_summary": "updates",
    "usdc_delta": "cash",
    "perp_positions": "perp",
    "spot_positions": "spot",
    "base_asset_amount": "base",
    "quote_asset_amount": "quote",
    "quote_entry_amount": "entry",
    "scaled_balance": "scaled",
    "market_index": "asset",
    "cumulative_deposit_interest": "deposit_index",
    "margin_ratio_initial": "initial",
    "margin_ratio_maintenance": "maintenance",
    "total_collateral": "collateral",
    "margin_requirement": "requirement",
    "market_position": "position",
    "state": "position",
    "base_asset_amount_with_amm": "net_base",
    "base_asset_amount_long": "long",
    "total_fee_minus_distributions": "fee_pool",
    "amm.total_fee_minus_distributions": "fee_pool",
    "funding_rate": "rate",
    "funding_rate_long": "rate_long",
    "funding_rate_short": "rate_short",
    "arg0": "mark_twap",
    "arg1": "oracle_twap",
    "arg2": "period",
    "target_price": "target",
    "fee_structure": "fees",
    "fee_tiers": "tiers",
    "fee_numerator": "taker_numerator",
    "fee_denominator": "taker_denominator",
    "maker_rebate_numerator": "rebate_numerator",
    "maker_rebate_denominator": "rebate_denominator",
    "fee_adjustment": "adjustment_pct",
    "margin_shortage": "shortage",
    "margin_ratio": "ratio",
    "liquidation_fee": "fee",
    "if_liquidation_fee": "insurance_fee",
    "liquidator_fee": "fee",
    "base_liquidation_fee": "fee",
    "max_if_liquidation_fee": "insurance_fee_max",
    "user_base_asset_amount": "size",
    "pnl_pool_excess": "pool_excess",
    "position.base_asset_amount": "base",
    "position.quote_entry_amount": "entry",
    "realized_pnl": "realised",
    "unrealized_pnl_initial_asset_weight": "profit_weight",
    "margin_ratio_override": "margin_override",
    "base_rate_pct": "base_pct",
    "slope_pct_per_base": "slope_pct",
    "position_size": "size",
    "margin_rate_pct": "rate_pct",
    "interest_rate_pct_per_8h": "interest_pct",
    "clamp_pct": "damper_pct",
    "clamp_term_pct": "clamp_pct",
    "funding_rate_8h_pct": "rate_pct",
    "entry_price": "entry",
    "wallet_balance": "wallet",
    "mm_ratio": "maintenance_rate",
    "maintenance_margin_ratio": "maintenance_rate",
    "maintenance_amount": "deduction",
    "maintenance_amounts": "deductions",
    "tier_floor": "floor",
    "rate_n": "rate",
    "rate_prev": "rate_before",
    "maintenance_amount_prev": "deduction_before",
}


def shortened(value):
    """A value of a case file under our names."""
    if isinstance(value, dict):
        return {SHORTER.get(name, name): shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return value


def is_part(part, whole):
    """Whether everything in ``part`` stands in ``whole``; a list may leave out its end, a number its remark."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(name in whole and is_part(part[name], whole[name]) for name in part)
    if isinstance(part, list):
        paired = isinstance(whole, list) and len(part) <= len(whole)
        return paired and all(is_part(item, other) for item, other in zip(part, whole, strict=False))
    if isinstance(part, str) and isinstance(whole, str):
        return part == whole or whole.startswith(f"{part} (")
    return type(part) is type(whole) and part == whole


@pytest.fixture(scope="module")
def published():
    """Cases by id, as the folder named by CLEARSPEC_CASES holds them."""
    folder = os.environ.get("CLEARSPEC_CASES", "")
    if not Path(folder, "dydx_median.json").is_file():
        pytest.skip("CLEARSPEC_CASES does not name a folder with the case files")
    found = [case for path in sorted(Path(folder).glob("*.json")) for case in json.loads(path.read_text("utf-8"))]
    return {case["id"]: case for case in found}


def test_the_cases_are_those_of_the_folder(published):
    assert set(published) == set(BY_ID)


def test_the_carried_facts_are_those_of_the_folder(published):
    for case in CASES:
        original = published[case.id]
        assert case.source == original["source"], case.id
        assert is_part(case.facts, shortened({**original["params"], **original["input"]})), case.id
        assert is_part(case.published, shortened(original["expected"])), case.id


def test_lists_leave_out_their_end_only_in_fee_tiers(published):
    for case in CASES:
        original = published[case.id]
        whole = shortened({**original["params"], **original["input"]})
        for name, value in case.facts.items():
            if isinstance(value, list):
                assert len(value) == len(whole[name]), (case.id, name)
