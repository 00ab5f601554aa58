import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import type { Listing } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { emptyPrefixColumns, prefixesOf } from "@fleetban/proto/model/sorted-columns";
import type { Hits } from "@fleetban/proto/wire/fleet";
import { decodePrefixes } from "@fleetban/proto/wire/prefixes";
import type { Backend } from "../firewall/backend.ts";
import { createDryRunBackend } from "../firewall/dry-run/dry-run-backend.ts";
import { LOCAL_SETS, listSets } from "../firewall/set-names.ts";
import { addresses, FEEDS, FLEET, heldFixture, listing } from "../mirror/mirror.fixture.ts";
import { Mirror } from "../mirror/mirror.ts";
import { createHitCounting } from "./hits.ts";

const EVERY_MS = 300_000;
const UNTIL = 1_900_000_000;
const [ONE, OTHER, THIRD] = addresses(3) as [Prefix, Prefix, Prefix];
const OPEN_ENDED = addresses(600, 2);

test("a report tells totals by list and rank, and the most hit prefixes", async () => {
  const { hits, receive, look } = await machine({
    fleet: [listing(ONE, UNTIL), listing(OTHER, UNTIL)],
    feeds: [listing(THIRD, UNTIL, 3)],
  });
  hits.setTop(1);
  receive(ONE, 5);
  receive(OTHER, 2);
  receive(THIRD, 1);
  assert.deepEqual(hits.takeReports(), []); // not looked yet
  await look();
  const reports = hits.takeReports();
  assert.deepEqual(
    reports.flatMap(({ totals }) => totals),
    [
      { list: 2, rank: 2, packets: 7, bytes: 700 },
      { list: 3, rank: 3, packets: 1, bytes: 100 },
    ],
  );
  assert.deepEqual(reports.flatMap(named), [
    [ONE, 5],
    [THIRD, 1],
  ]);
  assert.deepEqual(hits.takeReports(), []);
});

test("between two looks there is no further report, whoever reads the sets", async () => {
  const { hits, receive, look } = await machine({ fleet: [listing(ONE, UNTIL)] });
  receive(ONE, 1);
  await look();
  assert.equal(hits.takeReports().length, 1);
  receive(ONE, 2);
  for await (const _piece of hits.backend.readSet(listSets(FLEET)[4]));
  assert.deepEqual(hits.takeReports(), []);
  await look();
  assert.deepEqual(hits.takeReports().flatMap(named), [[ONE, 2]]);
});

test("without a hit there is no report", async () => {
  const { hits, look } = await machine({ fleet: [listing(ONE, UNTIL)] });
  await look();
  assert.deepEqual(hits.takeReports(), []);
});

test("while no coordinator asks, hits add up", async () => {
  const { hits, receive, look } = await machine({ fleet: [listing(ONE, UNTIL)] });
  for (let round = 0; round < 3; round += 1) {
    receive(ONE, 2);
    await look();
  }
  assert.deepEqual(hits.takeReports().flatMap(named), [[ONE, 6]]);
});

test("listings without an end are named all of them, over several reports", async () => {
  const { hits, receive, look } = await machine({ fleet: OPEN_ENDED.map((prefix) => listing(prefix, 0, 0)) });
  hits.setTop(10);
  for (const prefix of OPEN_ENDED) receive(prefix, 1);
  await look();
  const first = hits.takeReports();
  assert.equal(first.flatMap(named).length, 522);
  assert.equal(first[0]?.totals[0]?.packets, 600);
  await look();
  const all = [...first, ...hits.takeReports()];
  assert.deepEqual(new Set(all.flatMap(named).map(([prefix]) => prefix)), new Set(OPEN_ENDED));
  assert.equal(
    all.flatMap(({ totals }) => totals).reduce((sum, { packets }) => sum + packets, 0),
    600,
  );
});

test("what is dropped of the server's own bans is counted and not reported", async () => {
  const { hits, kernel, receive, look } = await machine({ fleet: [listing(ONE, UNTIL)] });
  await kernel.apply([{ kind: "add", set: LOCAL_SETS[4], prefix: OTHER, timeoutSeconds: 0 }]);
  receive(OTHER, 4);
  await look();
  assert.deepEqual(hits.takeReports(), []);
  assert.deepEqual([...hits.totals()], [["local", { packets: 4, bytes: 400 }]]);
});

test("a set that reconcile has read just now is not read again", async () => {
  const { hits, kernel, clock, receive, look } = await machine({ fleet: [listing(ONE, UNTIL)] });
  receive(ONE, 3);
  await clock.run(clock.monotonicMs() + EVERY_MS - 1);
  for await (const _piece of hits.backend.readSet(listSets(FLEET)[4]));
  const before = kernel.readings;
  await look(1);
  assert.equal(kernel.readings, before);
  assert.deepEqual(hits.takeReports().flatMap(named), [[ONE, 3]]);
});

test("a backend that does not see packets does not count", async () => {
  const { hits } = await machine({}, "dry-run");
  assert.equal(hits.isCounting, false);
});

function named({ top }: Hits): [Prefix, number][] {
  return top.flatMap(({ prefixes, packets }) => {
    const decoded = prefixesOf(decodePrefixes("test", prefixes, 1_024, emptyPrefixColumns));
    return [...decoded].map((prefix, index): [Prefix, number] => [prefix, packets[index] ?? 0]);
  });
}

/** Counting over a kernel in memory whose sets hold what the mirror does. */
async function machine(lists: { fleet?: Listing[]; feeds?: Listing[] }, name: Backend["name"] = "ipset") {
  const clock = createVirtualClock(1_800_000_000_000);
  const inner = createDryRunBackend(clock);
  const kernel = {
    ...inner,
    name,
    readings: 0,
    async *readSet(set: string) {
      kernel.readings += 1;
      yield* inner.readSet(set);
    },
  };
  const mirror = new Mirror(clock);
  mirror.setLists([FLEET, FEEDS]);
  const hits = createHitCounting({ backend: kernel, mirror, clock, log: silentLog }, EVERY_MS);
  const pairs = [listSets(FLEET), listSets(FEEDS), LOCAL_SETS];
  for (const pair of pairs) {
    for (const family of [4, 6] as const) {
      await hits.backend.createSet({ name: pair[family], family, maxEntries: 10_000 });
    }
  }
  for (const [list, listings] of [
    [FLEET, lists.fleet ?? []],
    [FEEDS, lists.feeds ?? []],
  ] as const) {
    mirror.replace(list.list, heldFixture(list.list, listings));
    const set = listSets(list)[4];
    await hits.backend.apply(listings.map(({ prefix }) => ({ kind: "add", set, prefix, timeoutSeconds: 0 })));
  }
  const reach = { kind: "all-traffic" } as const;
  await kernel.ensureRules(pairs.map((deny) => ({ deny, except: [], reach, verdict: "drop" })));
  const stop = new AbortController();
  hits.run(stop.signal).catch(() => undefined); // it sleeps on a virtual clock: nothing of it is left
  return {
    ...{ hits, kernel, clock },
    receive(source: Prefix, packets: number) {
      for (let count = 0; count < packets; count += 1) kernel.receive(parsePrefix(source), 100);
    },
    look: (durationMs = EVERY_MS) => clock.run(clock.monotonicMs() + durationMs),
  };
}
