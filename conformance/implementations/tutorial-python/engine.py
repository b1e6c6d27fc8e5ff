"""A first engine: accounts, deposits, contributions, transfers inside a pool. docs/join.md walks through it."""

import json
import sys


class Rejected(Exception):
    """An event is rejected; the argument is the reason (EVENT-6)."""


def require(condition, reason):
    """Reject the event unless the condition holds."""
    if not condition:
        raise Rejected(reason)


class Engine:
    """The state, a method for each message of the protocol, and a method for each action."""

    def hello(self, body):
        """Say who answers, and what it can do."""
        return {
            "protocol": "clearspec/protocol/1", "name": "tutorial-python", "version": "1", "language": "Python",
            "features": ["events", "ledger"],
        }  # fmt: skip

    def load(self, body):
        """Start again from a genesis (EVENT-2)."""
        self.genesis = body["genesis"]
        self.pools = {pool["pool"]: pool for pool in self.genesis["pools"]}
        self.time, self.sequence, self.recent = int(self.genesis["time"]), 0, {}
        self.accounts, self.balances = {}, {}
        return {}

    def apply(self, body):
        """One receipt for each event: the checks of every event (EVENT-5), then those of its action."""
        return {"receipts": [self.receipt(event) for event in body["events"]]}

    def receipt(self, event):
        """Accept an event, or reject it with one reason; every check comes before the first change (EVENT-7)."""
        ((name, action),) = event["action"].items()
        if name not in ("open_account", "deposit", "contribute", "transfer"):
            raise NotImplementedError(name)
        time, sequence = int(event["time"]), int(event["sequence"])
        try:
            require(event["id"] not in self.recent, "duplicate_event")
            require(sequence > self.sequence, "sequence_not_increasing")
            require(time >= self.time, "time_decreasing")
            getattr(self, name)(event["actor"], **action)
        except Rejected as rejected:
            return {"status": "rejected", "reason": str(rejected)}
        self.time, self.sequence, self.recent[event["id"]] = time, sequence, True
        if len(self.recent) > 4096:
            del self.recent[next(iter(self.recent))]
        return {"status": "accepted"}

    def held(self, *key):
        """Balance of (pool, asset, holder); what was never posted to holds nothing (LEDG-3)."""
        return self.balances.get(key, 0)

    def add(self, amount, *key):
        """Post an amount."""
        self.balances[key] = self.held(*key) + amount

    def caps(self, pool):
        """Deposit cap of every asset that a pool accepts, the settlement asset first (COLL-2)."""
        others = {terms["asset"]: int(terms["cap"]) for terms in pool["collateral"]}
        return {pool["settlement_asset"]: int(pool["settlement_cap"]), **others}

    def open_account(self, actor, account, pool):
        """COLL-1."""
        require(pool in self.pools, "unknown_pool")
        require(account not in self.accounts, "account_exists")
        for other in self.pools.values():
            if other["backstop"] == account:
                require(actor in self.genesis["administrators"], "unauthorised")
                require(other["pool"] == pool, "wrong_pool")
        self.accounts[account] = (actor, pool)

    def deposit(self, actor, account, asset, amount):
        """COLL-3."""
        amount = int(amount)
        require(account in self.accounts, "unknown_account")
        owner, pool = self.accounts[account]
        require(owner == actor, "unauthorised")
        caps = self.caps(self.pools[pool])
        require(asset in caps, "asset_not_accepted")
        require(self.held(pool, asset, "custody") + amount <= caps[asset], "deposit_cap_exceeded")
        require(self.held(pool, asset, account) + amount <= 2**62, "balance_out_of_range")
        self.add(amount, pool, asset, "custody")
        self.add(amount, pool, asset, account)

    def contribute(self, actor, pool, fund, amount):
        """COLL-9; the funds' names hold a blank, so that no account is called so."""
        amount = int(amount)
        require(pool in self.pools, "unknown_pool")
        asset = self.pools[pool]["settlement_asset"]
        require(self.held(pool, asset, "custody") + amount <= 2**62, "balance_out_of_range")
        self.add(amount, pool, asset, "custody")
        self.add(amount, pool, asset, f"fund {fund}")

    def transfer(self, actor, account, target, asset, amount):
        """COLL-7 inside a pool. Without positions and prices, equity is the settlement balance."""
        amount = int(amount)
        require(account in self.accounts and target in self.accounts, "unknown_account")
        require(account != target, "same_account")
        owner, pool = self.accounts[account]
        require(owner == actor, "unauthorised")
        if self.accounts[target][1] != pool:
            raise NotImplementedError("transfer between pools")
        terms, held = self.pools[pool], self.held(pool, asset, account)
        require(asset in self.caps(terms), "asset_not_accepted")
        cash = asset == terms["settlement_asset"]
        require(cash or held >= amount, "insufficient_balance")
        require(self.held(pool, asset, target) + amount <= 2**62, "balance_out_of_range")
        require(not cash or held - amount >= -int(terms["negative_balance_limit"]), "negative_balance_limit")
        require(not cash or held >= amount, "below_initial_margin")
        self.add(-amount, pool, asset, account)
        self.add(amount, pool, asset, target)

    def snapshot(self, body):
        """The observable snapshot (EVENT-13); integers are decimal strings."""
        if body.get("root"):
            raise NotImplementedError("root")
        accounts = {}
        for account, (owner, pool) in self.accounts.items():
            balances = {asset: str(self.held(pool, asset, account)) for asset in self.caps(self.pools[pool])}
            accounts[account] = {"owner": owner, "pool": pool, "balances": balances, "positions": {}}
        numbers = ("mark", "open_interest", "funding_index", "haircut_long", "haircut_short", "settlement_price")
        markets = [listing["market"] for listing in self.genesis["markets"]]
        return {"observable": {
            "sequence": str(self.sequence), "time": str(self.time), "accounts": accounts,
            "feeds": {feed["feed"]: "0" for feed in self.genesis["feeds"]},
            "markets": {market: {"status": "active", **dict.fromkeys(numbers, "0")} for market in markets},
            "pools": {name: self.seen_pool(pool) for name, pool in self.pools.items()},
        }}  # fmt: skip

    def seen_pool(self, pool):
        """Custody by asset and the funds of a pool."""
        name, asset = pool["pool"], pool["settlement_asset"]
        funds = {fund: str(self.held(name, asset, f"fund {fund}")) for fund in ("insurance_fund", "skin_in_the_game")}
        custody = {asset: str(self.held(name, asset, "custody")) for asset in self.caps(pool)}
        return {"custody": custody, **funds, "fee_treasury": "0", "uncovered_loss": "0"}

    def bye(self, body):
        """The last message."""
        return {}


def main():
    """Answer each line with a line."""
    engine = Engine()
    for line in sys.stdin:
        request = json.loads(line)
        ((name, body),) = ((key, part) for key, part in request.items() if key != "id")
        try:
            answer = {name: getattr(engine, name)(body)}
        except (AttributeError, KeyError, NotImplementedError) as error:
            answer = {"error": {"code": "not_implemented", "message": str(error)}}
        print(json.dumps({"id": request["id"], **answer}), flush=True)
        if name == "bye":
            return


if __name__ == "__main__":
    main()
