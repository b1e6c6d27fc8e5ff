"""Vectors of events that come as texts: what is malformed, what is only out of range, what is spelled otherwise.

A text is written out by hand, and so is what must come of it. What an engine answers about a malformed one is always
``malformed``, whatever its id, sequence or time would have been rejected for, and nothing of it is used up.
"""

from __future__ import annotations

import json
from dataclasses import replace

from clearspec import events as ev
from clearspec.codec import encode
from clearspec.events import Reason
from clearspec.parameters import Tier
from clearspec.sandbox import FEED, LISTING, MARGIN, MARKET, PERCENT, genesis
from clearspec_conformance.cases.ledger import BARE
from clearspec_conformance.vectors import Recorder, case

OUT = Reason.FIELD_OUT_OF_RANGE
WIDEST = 2**126
"""Magnitude up to which an integer of an event decodes."""


def deposit(
    amount: str = '"5"',
    account: str = '"alice"',
    name: str = '"d1"',
    sequence: str = '"9"',
    time: str = '"0"',
    more: str = "",
    last: str = "",
) -> str:
    """The text of a deposit of alice, its values as they stand in JSON; more fields in the action, or last."""
    action = f'{{"account":{account},"asset":"USD","amount":{amount}{more}}}'
    head = f'"id":{name},"sequence":{sequence},"time":{time},"actor":"alice"'
    return f'{{{head},"action":{{"deposit":{action}}}{last}}}'


def opened(box: Recorder) -> None:
    """Open alice's account: sequence 1."""
    box.do("alice", ev.OpenAccount("alice", "main"))


def settled(box: Recorder) -> None:
    """The right deposit of 5 at last: its id and its sequence are as free as before."""
    box.write(deposit(), None)
    box.hand("observable.accounts.alice.balances.USD", 5, "only what decodes counts")
    box.hand("observable.sequence", 9, "that of the only event accepted after the first")


@case(
    "events-decoding-001",
    "EVENT-3",
    bug="an integer is taken in another spelling than its decimal string without sign of plus or leading zero",
    effect="two spellings of one event have two hashes, and a number above 2^53 is silently rounded on the way",
    start=BARE,
)
def integers_have_one_spelling(box: Recorder) -> None:
    opened(box)
    spellings = (
        "5", "5.0", "5e0", "-5", "1e400", "NaN", "Infinity", "-Infinity", "true", "null", '["5"]', '{"deposit":"5"}',
        '"05"', '"00"', '"+5"', '"-0"', '"-05"', '" 5"', '"5 "', '"5\\n"', '"\\t5"', '""', '"-"', '"5.0"', '"5e0"',
        '"1e3"', '"0x5"', '"5n"', '"1_000"', '"1,000"', '"1.000"', '"five"', '"NaN"', '"\\u0665"', '"\\uff15"',
        '"\\u22125"',
    )  # fmt: skip
    for amount in spellings:
        box.write(deposit(amount))
    for sequence in ("9", "9.0", '"09"', '"+9"', '""', "null"):
        box.write(deposit(sequence=sequence))
    for time in ("0", "-0", '"00"', '"-0"', "false"):
        box.write(deposit(time=time))
    settled(box)


@case(
    "events-decoding-002",
    "EVENT-3",
    "EVENT-5",
    bug="an integer beyond 128 bits wraps, or one within them that its field does not allow is called malformed",
    effect="a deposit of 2^128 + 5 credits 5, or two engines give different reasons",
    start=BARE,
)
def integers_decode_within_128_bits(box: Recorder) -> None:
    opened(box)
    for amount in (0, -1, 2**60 + 1, 2**63, 2**64 + 5, WIDEST, -WIDEST):
        box.write(deposit(f'"{amount}"'), OUT)
    for amount in (WIDEST + 1, -WIDEST - 1, 2**127, 2**128 + 5, 2**132, 10**39, 10**40, 10**41, 10**400):
        box.write(deposit(f'"{amount}"'))
    box.write(deposit(sequence=f'"{WIDEST}"'), OUT)
    box.write(deposit(sequence=f'"{WIDEST + 1}"'))
    box.write(deposit(time=f'"{2**40 + 1}"'), OUT)
    box.write(deposit(time=f'"{WIDEST + 1}"'))
    settled(box)


@case(
    "events-decoding-003",
    "EVENT-3",
    bug="a field that is lacking gets a default, or one that nobody knows is passed over",
    effect="a misspelt limit is no limit, and the sender does not learn of it",
    start=BARE,
)
def exactly_the_fields_of_a_record(box: Recorder) -> None:
    opened(box)
    whole = json.loads(deposit())
    for name in ("id", "sequence", "time", "actor", "action"):
        box.write(json.dumps({key: part for key, part in whole.items() if key != name}))
    for name in ("account", "asset", "amount"):
        action = {key: part for key, part in whole["action"]["deposit"].items() if key != name}
        box.write(json.dumps({**whole, "action": {"deposit": action}}))
    for more in (',"fee":"0"', ',"Amount":"5"', ',"":"5"', ',"amount ":"5"', ',"__proto__":{}', ',"note":null'):
        box.write(deposit(more=more))
    for last in (',"signature":"00"', ',"ID":"d1"', ',"action ":{}', ',"status":null'):
        box.write(deposit(last=last))
    settled(box)


@case(
    "events-decoding-004",
    "EVENT-3",
    bug="of a key that stands twice one value is taken, the first or the last",
    effect="whoever checks an event and whoever applies it read two amounts in it",
    start=BARE,
)
def every_key_once(box: Recorder) -> None:
    opened(box)
    box.write(deposit(more=',"amount":"500"'))
    box.write(deposit(more=',"amount":"5"'))
    box.write(deposit(more=',"\\u0061mount":"5"'))
    box.write(deposit(last=',"sequence":"10"'))
    box.write(deposit(last=',"id":"d1"'))
    box.write(deposit(last=',"action":{"deposit":{"account":"alice","asset":"USD","amount":"5"}}'))
    inner = '{"account":"alice","asset":"USD","amount":"5"}'
    twice = f'"action":{{"deposit":{inner},"deposit":{inner}}}'
    box.write(f'{{"id":"d1","sequence":"9","time":"0","actor":"alice",{twice}}}')
    settled(box)


@case(
    "events-decoding-005",
    "EVENT-3",
    bug="an id is taken that is empty, too long, or holds a blank, a control character or a letter outside ASCII",
    effect="two ids look the same to whoever reads them, and one engine cuts what another keeps",
    start=BARE,
)
def ids_have_one_form(box: Recorder) -> None:
    opened(box)
    names = (
        '""', '" "', '"a b"', '" a"', '"a "', '"a\\n"', '"\\na"', '"a\\u0000"', '".a"', '"-a"', '"_a"', '":a"', '"/a"',
        '"a+b"', '"a@b"', '"a\\\\b"', '"a\\"b"', '"\\u00e9"', '"\\u0430lice"', '"a\\u200b"', '"\\ud800"',
        '"\\ud83d\\ude00"', f'"{"a" * 65}"', f'"{"a" * 4096}"', "7", "null", "true", '["d1"]', "{}",
    )  # fmt: skip
    for name in names:
        box.write(deposit(name=name))
    box.write(deposit(account=f'"{"a" * 65}"'))
    box.write(deposit(account=f'"{"a" * 64}"'), Reason.UNKNOWN_ACCOUNT)
    box.write(deposit(account='"Z9_.:/-"'), Reason.UNKNOWN_ACCOUNT)
    settled(box)


@case(
    "events-decoding-006",
    "EVENT-3",
    bug="what is not one JSON text is read as far as it goes",
    effect="a line that was cut off, or has something behind it, counts as the event that it begins with",
    start=BARE,
)
def one_json_text(box: Recorder) -> None:
    opened(box)
    whole = deposit()
    texts = (
        "", " ", "{", "}", "null", "7", '"d1"', "true", "[]", "{}", f"[{whole}]", json.dumps(whole), whole[:-1],
        whole + "}", whole + ",", f"{whole} {whole}", whole + "x", "\ufeff" + whole, whole.replace('"', "'"),
        whole.replace("}}}", "},}}"), whole.replace("}}}", ",}}}"), whole.replace(":", " ", 1),
        f"{whole} // a deposit", f"/* a deposit */ {whole}", whole.replace('"id"', "id"), whole.replace("d1", "d\n1"),
        whole.replace("d1", "d\\x31"), whole.replace("alice", "\\u00zz"),
    )  # fmt: skip
    for text in texts:
        box.write(text)
    settled(box)


@case(
    "events-decoding-007",
    "EVENT-3",
    bug="a document of any depth is read by recursion",
    effect="a line of brackets ends the engine: the stack overflows",
    start=BARE,
)
def depth_is_bounded(box: Recorder) -> None:
    opened(box)
    for levels in (64, 65, 10_000):
        box.write("[" * levels + "]" * levels)
        box.write("[" * levels)
    box.write('{"a":' * 10_000)
    for levels in (60, 61, 65, 5_000):
        box.write(deposit(account="[" * levels + '"alice"' + "]" * levels))
    box.write(deposit(account='"' + "[{" * 20 + '"'))
    settled(box)


@case(
    "events-decoding-008",
    "EVENT-3",
    bug="an action is guessed from what stands there: the first of several, none, or one that nobody knows",
    effect="an engine does nothing and says that it did, or does what was not asked",
    start=BARE,
)
def one_known_action(box: Recorder) -> None:
    opened(box)
    inner = '{"account":"alice","asset":"USD","amount":"5"}'
    actions = (
        "{}", "null", '"deposit"', '["deposit"]', f"[{inner}]", inner, f'{{"steal":{inner}}}', f'{{"Deposit":{inner}}}',
        f'{{"":{inner}}}', f'{{"deposit ":{inner}}}', f'{{"deposit":{inner},"contribute":{inner}}}',
        f'{{"deposit":{inner},"note":{{}}}}', '{"deposit":null}', '{"deposit":[]}', '{"deposit":"5"}', '{"deposit":{}}',
        f'{{"toString":{inner}}}', f'{{"__init__":{inner}}}',
        '{"contribute":{"pool":"main","fund":"petty_cash","amount":"5"}}',
        '{"contribute":{"pool":"main","fund":"","amount":"5"}}',
        '{"contribute":{"pool":"main","fund":null,"amount":"5"}}',
        '{"contribute":{"pool":"main","fund":"INSURANCE_FUND","amount":"5"}}',
        '{"contribute":{"pool":"main","fund":"fee_treasury","amount":"5"}}',
    )  # fmt: skip
    for action in actions:
        box.write(f'{{"id":"d1","sequence":"9","time":"0","actor":"alice","action":{action}}}')
    settled(box)


@case(
    "events-decoding-009",
    "EVENT-3",
    "EVENT-10",
    bug="an event is known by the bytes that it came in, not by what they say",
    effect="the same event with another space is applied a second time",
    start=BARE,
)
def one_event_in_several_spellings(box: Recorder) -> None:
    opened(box)
    box.write(json.dumps(json.loads(deposit(sequence='"2"')), indent=3), None)
    box.write(deposit(sequence='"3"'), Reason.DUPLICATE_EVENT)
    box.write(json.dumps(dict(reversed(json.loads(deposit(name='"d2"', sequence='"4"')).items()))), None)
    box.write(deposit(name='"\\u0064\\u0032"', sequence='"5"'), Reason.DUPLICATE_EVENT)
    escaped = deposit(name='"d\\/3"', account='"\\u0061lice"', sequence='"6"').replace('"amount"', '"\\u0061mount"')
    box.write(f"\r\n\t {escaped} \n", None)
    box.write(deposit(name='"d/3"', sequence='"7"'), Reason.DUPLICATE_EVENT)
    box.hand("observable.accounts.alice.balances.USD", 15, "three deposits of 5, each once")


@case(
    "events-decoding-010",
    "EVENT-3",
    "EVENT-5",
    bug="a malformed event is first asked for its id, its sequence or its time, or its receipt invents them",
    effect="two engines give different reasons, or the time of a log goes by what nobody has checked",
    start=BARE,
)
def malformed_comes_first(box: Recorder) -> None:
    box.send(ev.Event("open", 3, 7, "alice", ev.OpenAccount("alice", "main")))
    box.write(deposit("5", name='"open"', sequence='"1"', time='"6"'))
    box.write(deposit('"05"', name='"open"', sequence='"3"', time='"7"'))
    box.write(deposit('"0"', name='"open"', sequence='"1"', time='"6"'), Reason.DUPLICATE_EVENT)
    box.write(deposit('"0"', sequence='"3"', time='"6"'), Reason.SEQUENCE_NOT_INCREASING)
    box.write(deposit('"0"', sequence='"4"', time='"6"'), Reason.TIME_DECREASING)
    box.write(deposit('"0"', sequence='"4"', time='"7"'), OUT)
    box.write(deposit("5", time='"9"'))
    box.hand("receipt.sequence", 0, "that of a malformed event is not known")
    box.hand("receipt.time", 7, "the state's: that of the last accepted event")
    box.write(deposit(sequence='"4"', time='"7"'), None)
    box.hand("observable.accounts.alice.balances.USD", 5, "only the last is accepted")


def event_text(sequence: int, actor: str, action: str) -> str:
    """The text of an event at time 0."""
    return f'{{"id":"t{sequence}","sequence":"{sequence}","time":"0","actor":"{actor}","action":{action}}}'


TRADE = '{"trade":{"market":"BTC-PERP","buyer":"a","seller":"b","size":%s,"price":%s,"maker":%s}}'


@case(
    "events-decoding-101",
    "EVENT-3",
    "TRADE-1",
    bug="a fill is taken whose side is a word that nobody knows, or whose size or price is a bare number",
    effect="the fee goes to either side as the engine guesses",
    start=genesis(feeds=(FEED,), pool=BARE.pools[0]),
)
def malformed_fills(box: Recorder) -> None:
    box.price(100)
    box.open("a", 1_000)
    box.open("b", 1_000)
    for size, price, maker in (
        ('"10"', '"100"', '"both"'), ('"10"', '"100"', '""'), ('"10"', '"100"', "null"), ('"10"', '"100"', '"Seller"'),
        ("10", '"100"', '"seller"'), ('"10"', "100", '"seller"'), ('"10"', '"100.0"', '"seller"'),
        ('"-10 "', '"100"', '"seller"'), (f'"{WIDEST + 1}"', '"100"', '"seller"'),
    ):  # fmt: skip
        box.write(event_text(20, "venue", TRADE % (size, price, maker)), needs="trading")
    for beyond in (-10, 0, WIDEST):
        box.write(event_text(20, "venue", TRADE % (f'"{beyond}"', '"100"', '"seller"')), OUT, needs="trading")
    box.write(event_text(20, "venue", TRADE % ('"10"', '"100"', '"seller"')), None, needs="trading")
    box.hand("observable.accounts.a.positions.BTC-PERP.size", 10, "only what decodes counts")


GAP = '"gap_steps": "1"'


def ladder(count: int) -> tuple[Tier, ...]:
    """So many tiers of 10 % and 5 %, one atom apart; the last reaches the top."""
    top = MARGIN.tiers[0].upper
    return tuple(Tier(top - count + place, 10 * PERCENT, 5 * PERCENT) for place in range(1, count + 1))


def listing_text(tiers: int, old: str = "", new: str = "") -> str:
    """The text of the listing of a market with so many tiers, with one passage exchanged."""
    parameters = replace(MARKET, margin=replace(MARGIN, tiers=ladder(tiers)))
    text = json.dumps(encode(ev.ListMarket(replace(LISTING, market="NEW", parameters=parameters))))
    assert not old or text.count(old) == 1
    return event_text(1, "admin", text.replace(old, new))


@case(
    "events-decoding-102",
    "EVENT-3",
    "PARM-7",
    bug="the records inside an action are decoded less strictly than the action",
    effect="a market is listed with a limit that nobody has read",
    start=genesis(pool=BARE.pools[0], markets=(), feeds=(FEED,)),
)
def malformed_listings(box: Recorder) -> None:
    box.write(listing_text(9), needs="parameters")
    for old, new in (
        ('"perpetual"', '"option"'), ('"perpetual"', '""'), ('"mean"', '"mode"'), ('"expiry": "0"', '"expiry": null'),
        (GAP, '"gap_steps": 1'), (GAP, '"gap_steps": "01"'), (GAP, '"gap_step": "1"'), (f", {GAP}", ""),
        (GAP, f"{GAP}, {GAP}"), (GAP, f'{GAP}, "note": ""'), (GAP, f'"gap_steps": "{WIDEST + 1}"'),
        ('"market": "NEW"', f'"market": "{"N" * 65}"'), ('"tiers": [', '"tiers": ["10", '),
        ('"tiers": [', '"tiers": [[], '),
    ):  # fmt: skip
        box.write(listing_text(1, old, new), needs="parameters")
    box.write(listing_text(1, GAP, f'"gap_steps": "{WIDEST}"'), OUT, needs="parameters")
    box.write(listing_text(1, '"expiry": "0"', '"expiry": "-1"'), OUT, needs="parameters")
    box.write(listing_text(8), None, needs="parameters")
    box.hand("observable.markets.NEW.open_interest", 0, "eight tiers are the most, and within the envelope")
