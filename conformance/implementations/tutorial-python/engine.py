"""A first engine: accounts, deposits and contributions. docs/join.md walks through it."""

import json
import re
import sys
from collections import Counter

FUNDS = ("insurance_fund", "skin_in_the_game", "fee_treasury")
UNTRADED = dict.fromkeys(
    ("mark", "open_interest", "funding_index", "haircut_long", "haircut_short", "settlement_price", "shortfall"), "0"
)

ID, INTEGER = "[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}", "0|-?[1-9][0-9]{0,39}"
EVENT = {"id": ID, "sequence": INTEGER, "time": INTEGER, "actor": ID}
ACTIONS = {
    "open_account": {"account": ID, "pool": ID},
    "deposit": {"account": ID, "asset": ID, "amount": INTEGER},
    "contribute": {"pool": ID, "fund": "insurance_fund|skin_in_the_game", "amount": INTEGER},
}
LACKING = (
    "withdraw", "transfer", "convert", "cover_loss", "collect_fees", "post_price", "post_book", "trade", "liquidate",
    "accrue_funding", "resolve_default", "list_market", "set_parameters", "set_status", "delist", "fix_settlement",
    "settle_position", "pay_claim",
)  # fmt: skip


class Rejected(Exception):
    """An event is rejected; the argument is the reason (EVENT-6)."""


def require(condition, reason):
    """Reject the event unless the condition holds."""
    if not condition:
        raise Rejected(reason)


def unique(pairs):
    """A JSON object with each key once."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def fits(document, fields):
    """Whether a document has exactly these fields, each a text of its form; integers are within 2^126."""
    if not isinstance(document, dict) or set(document) != set(fields):
        return False
    forms = [(document[name], form) for name, form in fields.items()]
    if not all(isinstance(text, str) and re.fullmatch(form, text, re.ASCII) for text, form in forms):
        return False
    return all(abs(int(text)) <= 2**126 for text, form in forms if form == INTEGER)


def well_formed(event):
    """Whether a document is an event (EVENT-3)."""
    action = event.get("action") if isinstance(event, dict) else None
    if not isinstance(action, dict) or len(action) != 1:
        return False
    ((name, content),) = action.items()
    if name in LACKING:
        raise NotImplementedError(name)
    rest = {key: value for key, value in event.items() if key != "action"}
    return name in ACTIONS and fits(rest, EVENT) and fits(content, ACTIONS[name])


class Clearinghouse:
    """The state. Balances are kept by pool, asset, kind of ledger account and owner (LEDG-1)."""

    def __init__(self, genesis):
        self.genesis, self.time, self.sequence, self.recent = genesis, int(genesis["time"]), 0, {}
        self.pools = {pool["pool"]: pool for pool in genesis["pools"]}
        self.accounts, self.balances = {}, Counter()
        self.actions = {"open_account": self.open_account, "deposit": self.deposit, "contribute": self.contribute}

    def receipt(self, event):
        """The checks of every event (EVENT-5), then those of its action; every check before the first change."""
        if not well_formed(event):
            return {"status": "rejected", "reason": "malformed"}
        ((name, action),) = event["action"].items()
        try:
            require(event["id"] not in self.recent, "duplicate_event")
            require(int(event["sequence"]) > self.sequence, "sequence_not_increasing")
            require(int(event["time"]) >= self.time, "time_decreasing")
            require(1 <= int(event["sequence"]) <= 2**62 and int(event["time"]) <= 2**40, "field_out_of_range")
            require(1 <= int(action.get("amount", 1)) <= 2**60, "field_out_of_range")
            self.actions[name](event["actor"], **action)
        except Rejected as rejected:
            return {"status": "rejected", "reason": str(rejected)}
        self.time, self.sequence, self.recent[event["id"]] = int(event["time"]), int(event["sequence"]), True
        if len(self.recent) > 4096:
            del self.recent[next(iter(self.recent))]
        return {"status": "accepted"}

    def open_account(self, actor, account, pool):
        """COLL-1."""
        require(pool in self.pools, "unknown_pool")
        require(account not in self.accounts, "account_exists")
        for other in self.pools.values():
            if other["backstop"] == account:
                require(actor in self.genesis["administrators"], "unauthorised")
                require(other["pool"] == pool, "wrong_pool")
        self.accounts[account] = {"owner": actor, "pool": pool}

    def deposit(self, actor, account, asset, amount):
        """COLL-3."""
        require(account in self.accounts, "unknown_account")
        require(self.accounts[account]["owner"] == actor, "unauthorised")
        pool = self.accounts[account]["pool"]
        caps = {terms["asset"]: int(terms["cap"]) for terms in self.pools[pool]["collateral"]}
        caps[self.pools[pool]["settlement_asset"]] = int(self.pools[pool]["settlement_cap"])
        require(asset in caps, "asset_not_accepted")
        require(self.balances[pool, asset, "custody", ""] + int(amount) <= caps[asset], "deposit_cap_exceeded")
        require(self.balances[pool, asset, "user", account] + int(amount) <= 2**62, "balance_out_of_range")
        self.balances[pool, asset, "custody", ""] += int(amount)
        self.balances[pool, asset, "user", account] += int(amount)

    def contribute(self, actor, pool, fund, amount):
        """COLL-9."""
        require(pool in self.pools, "unknown_pool")
        asset = self.pools[pool]["settlement_asset"]
        require(self.balances[pool, asset, "custody", ""] + int(amount) <= 2**62, "balance_out_of_range")
        self.balances[pool, asset, "custody", ""] += int(amount)
        self.balances[pool, asset, fund, ""] += int(amount)

    def held(self, pool, kind, owner=""):
        """Balances of a kind in every asset of a pool, as decimal strings."""
        assets = [self.pools[pool]["settlement_asset"], *(terms["asset"] for terms in self.pools[pool]["collateral"])]
        return {asset: str(self.balances[pool, asset, kind, owner]) for asset in assets}

    def seen_pool(self, pool):
        """A pool in the observable snapshot."""
        funds = {kind: self.held(pool, kind)[self.pools[pool]["settlement_asset"]] for kind in FUNDS}
        return {"custody": self.held(pool, "custody"), **funds, "uncovered_loss": "0"}

    def observable(self):
        """The observable snapshot (EVENT-13)."""
        accounts = {
            name: {**account, "balances": self.held(account["pool"], "user", name), "positions": {}}
            for name, account in self.accounts.items()
        }
        return {
            "sequence": str(self.sequence),
            "time": str(self.time),
            "accounts": accounts,
            "feeds": {feed["feed"]: "0" for feed in self.genesis["feeds"]},
            "markets": {item["market"]: {"status": "active", **UNTRADED} for item in self.genesis["markets"]},
            "pools": {pool: self.seen_pool(pool) for pool in self.pools},
        }


class Engine:
    """A method for each message of the protocol."""

    def hello(self, body):
        """Who answers, and what it can do."""
        features = ["events", "ledger"]
        who = {"name": "tutorial-python", "version": "1", "language": "Python"}
        return {"protocol": "clearspec/protocol/1", **who, "features": features}

    def load(self, body):
        """Start again from a genesis."""
        if "genesis" not in body:
            raise NotImplementedError("restore")
        self.house = Clearinghouse(body["genesis"])
        return {}

    def apply(self, body):
        """A receipt for each event, or for one that stands in a text."""
        if "document" in body:
            try:
                body = {"events": [json.loads(body["document"], object_pairs_hook=unique)]}
            except (ValueError, RecursionError):
                body = {"events": [None]}
        return {"receipts": [self.house.receipt(event) for event in body["events"]]}

    def snapshot(self, body):
        """The state as everyone sees it."""
        if body.get("root"):
            raise NotImplementedError("root")
        return {"observable": self.house.observable()}

    def kernel(self, body):
        """Pure calls are not offered."""
        raise NotImplementedError("kernel")

    def bye(self, body):
        """The last message."""
        return {}


engine = Engine()
for line in sys.stdin:
    request = json.loads(line)
    message = next(key for key in request if key != "id")
    try:
        answer = {message: getattr(engine, message)(request[message])}
    except NotImplementedError as lacking:
        answer = {"error": {"code": "not_implemented", "message": str(lacking)}}
    print(json.dumps({"id": request["id"], **answer}), flush=True)
    if message == "bye":
        break
