import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { Candidate } from "./candidate.ts";
import { withTimes } from "./import-journal.ts";

const NOW = 1_795_000_000_000;
const DAY = 86_400_000;
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fb-import-"));
});
afterEach(async () => await rm(folder, { recursive: true }));

function candidate(address: string, changes: Partial<Candidate> = {}): Candidate {
  const facts = { bannedAtMs: undefined, banSeconds: 600, failures: 0, banCount: 0 };
  return { place: "bans:1", address: parsePrefix(address), jail: 'with "quotes" and\nlines', ...facts, ...changes };
}

const timesOf = async (nowMs: number, ...candidates: readonly Candidate[]) =>
  (await withTimes(folder, candidates, nowMs)).map(({ bannedAtMs }) => bannedAtMs);

test("an address keeps the time of its first import, another jail's is another", async () => {
  const [one, two] = [candidate("45.83.64.9"), candidate("45.83.64.10")];
  assert.deepEqual(await timesOf(NOW, one), [NOW]);
  assert.deepEqual(await timesOf(NOW + DAY, one, two), [NOW, NOW + DAY]);
  assert.deepEqual(await timesOf(NOW + 2 * DAY, two, { ...one, jail: "other" }), [NOW + DAY, NOW + 2 * DAY]);
});

test("after a month it counts anew, and what says its own time is not remembered", async () => {
  const one = candidate("45.83.64.9");
  await timesOf(NOW, one);
  assert.deepEqual(await timesOf(NOW + 30 * DAY, one), [NOW + 30 * DAY]);
  const own = candidate("45.83.64.11", { bannedAtMs: NOW - DAY });
  assert.deepEqual(await timesOf(NOW, own), [NOW - DAY]);
  assert.doesNotMatch(await readFile(join(folder, "imported"), "utf8"), /64\.11/);
});

test("a damaged line of it costs that line", async () => {
  const one = candidate("45.83.64.9");
  await timesOf(NOW, one);
  await writeFile(join(folder, "imported"), `garbage\n\n${await readFile(join(folder, "imported"), "utf8")}99 torn`);
  assert.deepEqual(await timesOf(NOW + DAY, one), [NOW]);
});
