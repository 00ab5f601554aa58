import assert from "node:assert/strict";
import { test } from "node:test";
import { digestFromBytes } from "@fleetban/proto/model/digest";
import { LIST_FLEET, revision } from "@fleetban/proto/model/listing";
import { unixMs } from "@fleetban/proto/model/time";
import type { FeedStatus } from "../feeds/feed-status.ts";
import { createCounters } from "../fleet/counters.ts";
import type { ListHead } from "../ledger/ledger.ts";
import { webRoutes } from "./endpoints.ts";
import { showFleetCounters } from "./fleet-counters.ts";
import type { Readings } from "./gauges.ts";
import { createCoordinatorMetrics } from "./metrics.ts";
import { type Warnable, warnable } from "./warnables.ts";

const NOTHING: Readings = { lists: [], warnables: [], stored: undefined };
const NO_COUNTS = { listings: [], agents: [], packs: [], jobs: [], offenders: 0, pardons: 0, allowlist: 0 };

test("a coordinator that works is ready", async () => {
  assert.deepEqual(await readyz([]), { status: 200, body: "ready\n" });
});

test("a warning is told and leaves it ready", async () => {
  const { status, body } = await readyz([warnable("feed-stale", "abuseipdb")]);
  assert.equal(status, 200);
  assert.match(String(body), /^ready\nwarning feed-stale \(abuseipdb\): no good fetch/);
});

test("a database that does not answer makes it not ready, and stands first", async () => {
  const { status, body } = await readyz([warnable("redis-unreachable"), warnable("store-unreachable")]);
  assert.equal(status, 503);
  assert.match(String(body), /^not ready\nnot-ready store-unreachable: .*\nwarning redis-unreachable: /);
});

test("it lives as long as it answers, whatever else is wrong", async () => {
  const routes = routesOf([warnable("store-unreachable")], NOTHING);
  assert.equal((await routes["/livez"]!(request())).status ?? 200, 200);
});

test("the metrics tell lists, feeds, agents and warnables by the names of the handbook", async () => {
  const lines = await metricLines({
    lists: [listFixture()],
    warnables: [warnable("feed-held", "abuseipdb")],
    stored: {
      feeds: [feedFixture()],
      holds: [{ subject: "feed", count: 1, oldestAtMs: 1_795_000_000_000 }],
      counts: {
        ...NO_COUNTS,
        listings: [{ list: "fleet", family: "v6", count: 7 }],
        agents: [{ state: "enrolled", count: 3 }],
        packs: [{ pack: "googlebot", count: 26 }],
        jobs: [{ job: "feeds", doneAtMs: 1_795_000_000_000 }],
        pardons: 2,
      },
    },
  });
  for (const line of [
    "store_up 1",
    'ledger_revision{list="fleet"} 12',
    'listings{list="fleet",family="v6"} 7',
    'feed_prefixes{feed="abuseipdb"} 10000',
    'feed_fetched_timestamp_seconds{feed="abuseipdb"} 1795000000',
    'feed_calls_left{feed="abuseipdb"} 4',
    'agents{state="enrolled"} 3',
    'holds{subject="feed"} 1',
    'hold_opened_timestamp_seconds{subject="feed"} 1795000000',
    "pardons 2",
    'pack_prefixes{pack="googlebot"} 26',
    'job_done_timestamp_seconds{job="feeds"} 1795000000',
    'warnable{code="feed-held"} 1',
    'info{version="0.1.0"} 1',
  ]) {
    assert.ok(lines.includes(`fleetban_coordinator_${line}`), line);
  }
});

test("without a database the metrics still tell what is in memory", async () => {
  const lines = await metricLines({ ...NOTHING, lists: [listFixture()] });
  assert.ok(lines.includes("fleetban_coordinator_store_up 0"));
  assert.ok(lines.includes('fleetban_coordinator_ledger_revision{list="fleet"} 12'));
});

test("what is gone at the next scrape is no longer shown", async () => {
  let readings: Readings = { ...NOTHING, warnables: [warnable("clock-held")] };
  const { registry } = createCoordinatorMetrics("0.1.0");
  const routes = webRoutes({ warnables: async () => [], readings: async () => readings }, registry);
  const page = async () => String((await routes["/metrics"]!(request())).body);
  assert.match(await page(), /clock-held/);
  readings = NOTHING;
  assert.doesNotMatch(await page(), /clock-held/);
});

test("the counters of the fleet's room and of the others add up in one page", async () => {
  const metrics = createCoordinatorMetrics("0.1.0");
  const counters = createCounters();
  showFleetCounters(metrics.registry, counters);
  counters.deltas = 5;
  counters.snapshots.set("new", 2);
  metrics.sightings("stored", 3);
  metrics.committed(0.002);
  await metrics.registry.metrics(); // a second scrape counts nothing twice
  const text = await metrics.registry.metrics();
  assert.match(text, /fleetban_coordinator_deltas_total\{kind="delta"\} 5\n/);
  assert.match(text, /fleetban_coordinator_deltas_total\{kind="snapshot"\} 2\n/);
  assert.match(text, /fleetban_coordinator_sightings_total\{outcome="stored"\} 3\n/);
  assert.match(text, /fleetban_coordinator_ledger_commit_seconds_bucket\{le="0.0025"\} 1\n/);
});

function routesOf(warnables: readonly Warnable[], readings: Readings) {
  const { registry } = createCoordinatorMetrics("0.1.0");
  return webRoutes({ warnables: async () => warnables, readings: async () => readings }, registry);
}

async function readyz(warnables: readonly Warnable[]) {
  return await routesOf(warnables, NOTHING)["/readyz"]!(request());
}

async function metricLines(readings: Readings): Promise<string[]> {
  const { body } = await routesOf([], readings)["/metrics"]!(request());
  return String(body).split("\n");
}

function request() {
  return { url: new URL("http://localhost/"), headers: {} };
}

function listFixture(): ListHead {
  const list = {
    list: LIST_FLEET,
    name: "fleet",
    effect: "deny" as const,
    reach: { kind: "all-traffic" as const },
    leaseSeconds: 86_400,
    requires: [],
    documentationOnly: false,
  };
  return {
    list,
    revision: revision(12),
    digest: digestFromBytes(new Uint8Array(16)),
    listings: 7,
    committedAtMs: 1_000,
  };
}

function feedFixture(): FeedStatus {
  return {
    feedNo: 1,
    name: "abuseipdb",
    kind: "abuseipdb",
    mode: "enforce",
    entries: 10_000,
    fetchedAtMs: unixMs(1_795_000_000_000),
    generatedAtMs: undefined,
    nextAtMs: undefined,
    outcome: "fetched",
    reason: undefined,
    quotaLimit: 5,
    quotaUsed: 1,
    refusedEntries: 0,
    refused: {},
    refusedLines: [],
    licence: "own-use",
    at: "https://api.abuseipdb.com/api/v2",
    listName: "feeds",
    holdNo: undefined,
    everySeconds: 86_400,
    staleAfterSeconds: 259_200,
  };
}
