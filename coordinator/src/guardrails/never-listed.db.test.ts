/** After any history: what is allowed, pardoned, in a pack or the fleet's own is on no deny list, and is let through wider ones. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { seededRandom } from "@fleetban/kit/random";
import { LIST_FEEDS, LIST_FLEET, LIST_TRIAL, RANK } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { untilAfter } from "@fleetban/proto/model/until";
import { startCoordinator, type TestCoordinator, unary } from "../drivers/coordinator.fixture.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import type { Store } from "../store/store.ts";
import { parsePack } from "./pack.ts";
import { syncPacks } from "./sync-packs.ts";

const ACT = { seconds: 0, reason: "", waitMs: 0, dryRun: false, yes: true };
const STEPS = 160;
const ADDRESSES = [1, 2, 3, 4, 5, 6].map((host) => `45.83.64.${host}`);
const NETWORKS = ["45.83.64.0/30", "45.83.64.0/24", "45.83.0.0/16"];
const V6 = ["2a00:1:2:3::1", "2a00:1:2:3::2", "2a00:1:2:4::1"];
const PREFIXES = [...ADDRESSES, ...NETWORKS, ...V6, "2a00:1:2::/48", "2a00:1:2:3::/64"];

test("no history of sightings, feeds, policies, packs, claims and operators lists what must not be listed", async (t) => {
  const seed = Number(process.env.FLEETBAN_TEST_SEED ?? randomInt(2 ** 31));
  const random = seededRandom(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random.unit() * items.length)]!;
  const chosen: string[] = [];
  const coordinator = await startCoordinator(t, { packs: chosen });
  const { admin, ledger, store, packs } = coordinator;
  const [agent] = await store.sql<{ agent_no: number }[]>`
    insert into agents (agent_id, name) values (gen_random_uuid(), 'one') returning agent_no`;
  const agentNo = agent?.agent_no ?? 0;
  const acts: string[] = [];
  let seq = 1;
  const put = (kind: "feed" | "policy") =>
    ledger.write({ kind }, async (_, now) => {
      const prefixes = new Set([pick(PREFIXES), pick(PREFIXES), pick(PREFIXES)]);
      const to = { until: untilAfter(now, 3_600), rank: RANK.feedHigh, reasons: [] };
      const list = kind === "feed" ? pick([LIST_FEEDS, LIST_TRIAL]) : LIST_FLEET;
      return [...prefixes].map((text) => ({ list, prefix: parsePrefix(text), to }));
    });
  /** What an operator is refused is refused. */
  const act = (done: Promise<unknown>) => done.catch(() => undefined);
  const steps: Record<string, () => Promise<unknown>> = {
    sight: () => {
      const sightings = [pick([...ADDRESSES, ...V6]), pick(ADDRESSES)].map((address) => sightingOf(ledger, address));
      const batch = batchOf(ledger, agentNo, seq, sightings);
      seq += sightings.length;
      return ledger.commitSightings(batch);
    },
    feed: () => put("feed"),
    policy: () => put("policy"),
    ban: () => act(unary(admin, admin.ban, { ...ACT, prefix: pick(PREFIXES) })),
    unban: () =>
      act(unary(admin, admin.unban, { ...ACT, prefix: pick(PREFIXES), exact: random.unit() < 0.5, local: false })),
    allow: () => act(unary(admin, admin.allow, { ...ACT, prefix: pick([...ADDRESSES, ...PREFIXES]) })),
    "end a pardon": () => act(unary(admin, admin.removePardon, { what: pick(PREFIXES), reason: "", waitMs: 0 })),
    "end an allow": () => act(unary(admin, admin.removeAllowed, { what: pick(PREFIXES), reason: "", waitMs: 0 })),
    "be at an address": () =>
      ledger.setAgentAddresses(agentNo, [{ address: parsePrefix(pick([...ADDRESSES, ...V6])), origin: "observed" }]),
    "choose a pack": async () => {
      if (chosen.length > 0) chosen.pop();
      else chosen.push("partners");
      const date = new Date(Date.UTC(2026, 0, 1 + acts.length)).toISOString().slice(0, 10);
      const text = `# title: Partners\n# source: https://partners.test\n# date: ${date}\n${pick(PREFIXES)}\n${pick(PREFIXES)}\n`;
      const pack = parsePack("partners", text);
      await syncPacks({ ...packs, readPacks: async () => new Map([["partners", pack]]) }, new AbortController().signal);
    },
  };
  for (let step = 0; step < STEPS; step += 1) {
    const name = pick([...Object.keys(steps), "end a pardon", "end an allow", "end an allow", "sight", "feed"]);
    acts.push(name);
    await steps[name]!();
    const wrong = await wrongListings(store);
    assert.deepEqual(wrong, [], `seed ${seed}, after step ${step + 1}: ${acts.slice(-8).join(", ")}`);
  }
  await hasListed(coordinator);
});

async function wrongListings(store: Store): Promise<string[]> {
  const rows = await store.sql<{ wrong: string }[]>`
    with kept as (
      select prefix, 'allowed' as kind from allowlist where ended_at is null and (until is null or until > clock_timestamp())
      union all
      select prefix, 'pardoned' from pardons where ended_at is null and (until is null or until > clock_timestamp())
    ), denied as (select l.list_no, l.name, g.prefix from listings g join lists l using (list_no) where l.effect = 'deny')
    select name || ' has ' || d.prefix || ', which is ' || kind as wrong from denied d join kept k on k.prefix >>= d.prefix
    union all
    select name || ' has ' || d.prefix || ', the fleet''s own' from denied d
      join agent_addresses a on a.address::cidr = d.prefix
    union all
    select 'no exempt entry for ' || kind || ' ' || k.prefix from kept k
    where not exists (select from listings e where e.list_no = 1 and e.prefix = k.prefix)
    union all
    select 'no hole for ' || a.address || ' in ' || d.prefix from agent_addresses a
      join denied d on d.prefix >> a.address
    where not exists (select from listings e where e.list_no = 1 and e.prefix >>= a.address)`;
  return rows.map(({ wrong }) => wrong);
}

/** The history was not empty of what it is about. */
async function hasListed({ store }: TestCoordinator): Promise<void> {
  const [row] = await store.sql<{ listed: number; exempt: number }[]>`
    select count(*) filter (where list_no in (2, 3) and not removed)::int as listed,
      count(*) filter (where list_no = 1 and not removed)::int as exempt from changes`;
  assert.ok(row!.listed >= 5 && row!.exempt >= 5, JSON.stringify(row));
}
