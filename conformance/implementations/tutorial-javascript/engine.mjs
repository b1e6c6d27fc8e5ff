// A first engine: accounts, deposits and contributions. docs/join.md walks through its twin in Python.
// Amounts are BigInt: an amount may be 2^60, above what a JavaScript number holds exactly.
import { createInterface } from "node:readline";

const HELLO = { protocol: "clearspec/protocol/1", name: "tutorial-javascript", version: "1", language: "JavaScript", features: ["events", "ledger"] };
const UNTRADED = { status: "active", mark: "0", open_interest: "0", funding_index: "0", haircut_long: "0", haircut_short: "0", settlement_price: "0", shortfall: "0" };
const ID = /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$/, INTEGER = /^(0|-?[1-9][0-9]{0,39})$/, FUND = /^(insurance_fund|skin_in_the_game)$/;
const EVENT = { id: ID, sequence: INTEGER, time: INTEGER, actor: ID };
const FIELDS = { open_account: { account: ID, pool: ID }, deposit: { account: ID, asset: ID, amount: INTEGER }, contribute: { pool: ID, fund: FUND, amount: INTEGER } };
const LACKING = "withdraw transfer convert cover_loss collect_fees post_price post_book trade accrue_funding liquidate resolve_default list_market set_parameters set_status delist fix_settlement settle_position pay_claim".split(" ");
const LIMIT = 2n ** 62n;
class Rejected extends Error {}
class NotImplemented extends Error {}
const require = (condition, reason) => { if (!condition) throw new Rejected(reason); };

let genesis, pools, time, sequence, recent, accounts, balances;

function load(body) {
  if (!body.genesis) throw new NotImplemented("restore");
  genesis = body.genesis;
  pools = new Map(genesis.pools.map(pool => [pool.pool, pool]));
  [time, sequence] = [BigInt(genesis.time), 0n];
  [recent, accounts, balances] = [new Set(), new Map(), new Map()];
  return {};
}

// Balances by pool, asset, kind of ledger account and owner (LEDG-1); ids hold no blank.
const held = (...key) => balances.get(key.join(" ")) ?? 0n;
const add = (amount, ...key) => balances.set(key.join(" "), held(...key) + amount);

const ACTIONS = {
  open_account(actor, { account, pool }) { // COLL-1
    require(pools.has(pool), "unknown_pool");
    require(!accounts.has(account), "account_exists");
    for (const other of pools.values()) {
      if (other.backstop !== account) continue;
      require(genesis.administrators.includes(actor), "unauthorised");
      require(other.pool === pool, "wrong_pool");
    }
    accounts.set(account, { owner: actor, pool });
  },
  deposit(actor, { account, asset, amount }) { // COLL-3
    require(accounts.has(account), "unknown_account");
    const { owner, pool } = accounts.get(account), terms = pools.get(pool);
    require(owner === actor, "unauthorised");
    const cap = asset === terms.settlement_asset ? terms.settlement_cap : terms.collateral.find(one => one.asset === asset)?.cap;
    require(cap !== undefined, "asset_not_accepted");
    require(held(pool, asset, "custody") + BigInt(amount) <= BigInt(cap), "deposit_cap_exceeded");
    require(held(pool, asset, "user", account) + BigInt(amount) <= LIMIT, "balance_out_of_range");
    add(BigInt(amount), pool, asset, "custody");
    add(BigInt(amount), pool, asset, "user", account);
  },
  contribute(actor, { pool, fund, amount }) { // COLL-9
    require(pools.has(pool), "unknown_pool");
    const asset = pools.get(pool).settlement_asset;
    require(held(pool, asset, "custody") + BigInt(amount) <= LIMIT, "balance_out_of_range");
    add(BigInt(amount), pool, asset, "custody");
    add(BigInt(amount), pool, asset, fund);
  },
};

// Whether a document is an event (EVENT-3): exactly these fields, each a text of its form, integers within 2^126.
const isObject = value => typeof value === "object" && value !== null && !Array.isArray(value);
const fits = (value, fields) => isObject(value) && Object.keys(value).length === Object.keys(fields).length && Object.entries(fields).every(([key, form]) => {
  const text = Object.hasOwn(value, key) ? value[key] : undefined, wide = 1n << 126n;
  return typeof text === "string" && form.test(text) && (form !== INTEGER || (BigInt(text) <= wide && BigInt(text) >= -wide));
});
function wellFormed(event) {
  if (!isObject(event) || !isObject(event.action) || Object.keys(event.action).length !== 1) return false;
  const { action: { ...action }, ...rest } = event, [name] = Object.keys(action);
  if (LACKING.includes(name)) throw new NotImplemented(name);
  return Object.hasOwn(FIELDS, name) && fits(rest, EVENT) && fits(action[name], FIELDS[name]);
}

// The document of a text; nothing if it is no JSON, or if a key stands twice, which JSON.parse forgives.
const keysOf = value => typeof value === "object" && value !== null ? Object.entries(value).reduce((sum, [, part]) => sum + !Array.isArray(value) + keysOf(part), 0) : 0;
function parsed(text) {
  try {
    const found = JSON.parse(text), keys = [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter(match => match[1]).length;
    return keys === keysOf(found) ? found : undefined;
  } catch { return undefined; }
}

// The checks of every event (EVENT-5), then those of its action; every check comes before the first change (EVENT-7).
function receipt(event) {
  if (!wellFormed(event)) return { status: "rejected", reason: "malformed" };
  const [name, action] = Object.entries(event.action)[0];
  try {
    require(!recent.has(event.id), "duplicate_event");
    require(BigInt(event.sequence) > sequence, "sequence_not_increasing");
    require(BigInt(event.time) >= time, "time_decreasing");
    const within = (text, low, high) => BigInt(text) >= low && BigInt(text) <= high;
    require(within(event.sequence, 1n, 1n << 62n) && within(event.time, 0n, 1n << 40n), "field_out_of_range");
    require(within(action.amount ?? "1", 1n, 1n << 60n), "field_out_of_range");
    ACTIONS[name](event.actor, action);
  } catch (error) {
    if (error instanceof Rejected) return { status: "rejected", reason: error.message };
    throw error;
  }
  [time, sequence] = [BigInt(event.time), BigInt(event.sequence)];
  recent.add(event.id);
  if (recent.size > 4096) recent.delete(recent.values().next().value);
  return { status: "accepted" };
}

// The observable snapshot (EVENT-13).
const mapped = (items, value) => Object.fromEntries([...items].map(([key, item]) => [key, value(item, key)]));
function inAssets(pool, ...key) {
  const terms = pools.get(pool), assets = [terms.settlement_asset, ...terms.collateral.map(one => one.asset)];
  return Object.fromEntries(assets.map(asset => [asset, String(held(pool, asset, ...key))]));
}
function seenPool(terms, pool) {
  const fund = kind => String(held(pool, terms.settlement_asset, kind));
  return { custody: inAssets(pool, "custody"), insurance_fund: fund("insurance_fund"), skin_in_the_game: fund("skin_in_the_game"), fee_treasury: "0", uncovered_loss: "0" };
}
const observable = () => ({
  sequence: String(sequence), time: String(time),
  accounts: mapped(accounts, (one, name) => ({ ...one, balances: inAssets(one.pool, "user", name), positions: {} })),
  feeds: mapped(genesis.feeds.map(feed => [feed.feed]), () => "0"),
  markets: mapped(genesis.markets.map(item => [item.market]), () => UNTRADED),
  pools: mapped(pools, seenPool),
});

const MESSAGES = {
  hello: () => HELLO,
  load,
  apply: body => ({ receipts: (body.events ?? [parsed(body.document)]).map(receipt) }),
  snapshot(body) { if (body.root) throw new NotImplemented("root"); return { observable: observable() }; },
  bye: () => ({}),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...rest } = JSON.parse(line);
  const [name, body] = Object.entries(rest)[0];
  let reply;
  try {
    if (!Object.hasOwn(MESSAGES, name)) throw new NotImplemented(name);
    reply = { [name]: MESSAGES[name](body) };
  } catch (error) {
    if (!(error instanceof NotImplemented)) throw error;
    reply = { error: { code: "not_implemented", message: error.message } };
  }
  process.stdout.write(JSON.stringify({ id, ...reply }) + "\n");
  if (name === "bye") break;
}
