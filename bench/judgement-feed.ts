/**
 * How long a feed of 100,000 entries takes from the call to the last committed listing, while agents' sightings go on being
 * acknowledged: on an embedded Postgres of its own, from a publisher in a process of its own.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { createLog } from "@fleetban/kit/log";
import { LIST_FEEDS } from "@fleetban/proto/model/listing";
import { readFeedFile } from "../coordinator/src/drivers/feed-file.ts";
import { downloadOverHttp } from "../coordinator/src/drivers/http-download.ts";
import { defaultGuardrails } from "../coordinator/src/feeds/default-guardrails.fixture.ts";
import { defineFeeds } from "../coordinator/src/feeds/define-feeds.ts";
import type { AbuseIpdbFeed } from "../coordinator/src/feeds/feed.ts";
import { FETCH_LIMITS, type FeedsParts } from "../coordinator/src/feeds/parts.ts";
import { refreshFeed } from "../coordinator/src/feeds/refresh.ts";
import type { Ledger } from "../coordinator/src/ledger/ledger.ts";
import { openLedger } from "../coordinator/src/ledger/open-ledger.ts";
import { batchOf, sightingOf } from "../coordinator/src/ledger/sightings.fixture.ts";
import { DEFAULT_POLICY } from "../coordinator/src/policy/policy-in-force.ts";
import { openStore } from "../coordinator/src/store/open-store.ts";
import { madeUpEntries } from "../test/support/fake-abuseipdb/entries.ts";
import { SUBSCRIBER_KEY } from "../test/support/fake-abuseipdb.ts";

export interface FeedRefreshMeasured {
  readonly entries: number;
  /** The first list: every entry is new. */
  readonly firstSeconds: number;
  /** A day later: two entries of five are others. */
  readonly nextSeconds: number;
  readonly listings: number;
  /** Acknowledged during both, each with one sighting, one after the other. */
  readonly sightings: number;
  readonly ackP99Ms: number;
  readonly ackMaxMs: number;
}

const PROGRAM = join(import.meta.dirname, "../test/support/fake-abuseipdb.main.ts");
const SIGHTING_EVERY_MS = 10;
const KEPT_SHARE = 0.6;

/** What it makes it gives to `undo` first. */
export async function measureFeedRefresh(entries: number, undo: AsyncDisposableStack): Promise<FeedRefreshMeasured> {
  const log = createLog((line) => process.stderr.write(`${line}\n`), systemClock, "warn");
  const url = await startPublisher(entries, undo);
  const dataDir = await mkdtemp(join(await realpath(tmpdir()), "fb-bench-"));
  undo.defer(() => rm(dataDir, { recursive: true, force: true }));
  const store = await openStore({ dataDir, log });
  undo.defer(() => store.close());
  const parts = { store, clock: systemClock, random: systemRandom, log };
  const ledger = await openLedger({ ...parts, policy: () => DEFAULT_POLICY });
  const stop = new AbortController();
  const running = ledger.run(stop.signal).catch(() => undefined); // ends by the abort
  undo.defer(async () => {
    stop.abort(new Error("measured"));
    await running;
    await ledger.close();
  });
  const feed = feedAt(url, entries);
  const feeds: FeedsParts = {
    ...parts,
    ...{ ledger, download: downloadOverHttp, readFile: readFeedFile, definitions: () => [feed], limits: FETCH_LIMITS },
    ...defaultGuardrails(store),
    ...{ programVersion: "bench", runId: "bench" },
  };
  await defineFeeds(store, [feed]);
  const [agent] = await store.sql<{ agent_no: number }[]>`
    insert into agents (agent_id, name) values (gen_random_uuid(), 'bench') returning agent_no`;
  const sightings = startSightings(ledger, agent?.agent_no ?? 0);
  const firstSeconds = await timed(() => refreshed(feeds, feed));
  await publishNextDay(url, entries);
  const nextSeconds = await timed(() => refreshed(feeds, feed));
  const acks = await sightings.end();
  const [row] = await store.sql<{ listings: number }[]>`
    select listings from lists where list_no = ${LIST_FEEDS}`;
  return { entries, firstSeconds, nextSeconds, listings: row?.listings ?? 0, ...acks };
}

async function publishNextDay(url: string, count: number): Promise<void> {
  const kept = Math.floor(count * KEPT_SHARE);
  const entries = [...madeUpEntries(count).slice(0, kept), ...madeUpEntries(count - kept, 2)];
  const tell = (what: string, body: object) =>
    fetch(new URL(`/_fake/${what}`, url), { method: "POST", body: JSON.stringify(body) });
  await tell("clock", { advanceMs: 2_000 });
  await tell("entries", { entries, regenerate: true });
}

async function refreshed(parts: FeedsParts, feed: AbuseIpdbFeed): Promise<void> {
  const { outcome, reason } = await refreshFeed(parts, feed, true, new AbortController().signal);
  if (outcome !== "fetched") throw new Error(`the feed was not taken: ${outcome}, ${reason}`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begunMs = systemClock.monotonicMs();
  await work();
  return (systemClock.monotonicMs() - begunMs) / 1_000;
}

async function startPublisher(entries: number, undo: AsyncDisposableStack): Promise<string> {
  const args = [PROGRAM, "--entries", String(entries), "--key", `${SUBSCRIBER_KEY}=premium`];
  const publisher = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  undo.defer(() => void publisher.kill());
  const [line] = (await once(createInterface({ input: publisher.stdout }), "line")) as [string];
  return (JSON.parse(line) as { url: string }).url;
}

/** One after the other, as one agent's stream does. */
function startSightings(ledger: Ledger, agentNo: number) {
  const tookMs: number[] = [];
  let isOver = false;
  const sending = (async () => {
    for (let seq = 1; !isOver; seq += 1) {
      const address = `5.${(seq >> 16) & 255}.${(seq >> 8) & 255}.${seq & 255}`;
      const begunMs = systemClock.monotonicMs();
      await ledger.commitSightings(batchOf(ledger, agentNo, seq, [sightingOf(ledger, address)]));
      tookMs.push(systemClock.monotonicMs() - begunMs);
      await systemClock.sleep(SIGHTING_EVERY_MS);
    }
  })();
  sending.catch(() => undefined); // told by `end`, or what failed first is told
  return {
    async end() {
      isOver = true;
      await sending;
      const sorted = tookMs.toSorted((a, b) => a - b);
      const ackP99Ms = sorted[Math.floor(sorted.length * 0.99)] ?? 0;
      return { sightings: sorted.length, ackP99Ms, ackMaxMs: sorted.at(-1) ?? 0 };
    },
  };
}

function feedAt(url: string, limit: number): AbuseIpdbFeed {
  return {
    ...{ name: "abuseipdb", kind: "abuseipdb", mode: "enforce", list: "feeds", licence: "own-use" },
    ...{ everySeconds: 86_400, staleAfterSeconds: 3 * 86_400 },
    filter: { onlyCountries: [], exceptCountries: [], onlyNetworks: [] },
    abuseipdb: {
      ...{ url, key: SUBSCRIBER_KEY, confidenceMinimum: 100, limit, callsPerDay: 100, callsKept: 0 },
      plaintext: false,
    },
  };
}
