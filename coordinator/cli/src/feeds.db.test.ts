/** Feeds on the command line: what is fetched, what was left out, what there is to be had. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { humanSeconds } from "@fleetban/kit/cli-output";
import { startCoordinator } from "../../src/drivers/coordinator.fixture.ts";
import { listFeed } from "../../src/feeds/list-feed.fixture.ts";
import { ABUSEIPDB_PRESET, PRESETS, type Preset } from "../../src/feeds/presets.ts";
import { runScript } from "./cli-script.fixture.ts";

test("a feed's fetches, the lines that were left out, and what it lists", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fb-feed-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "list.txt");
  const feed = listFeed({ at: { kind: "file", path } });
  const coordinator = await startCoordinator(t, { feeds: [feed] });
  await writeFile(path, "# head\n45.1.1.1\n45.1.1.2\n10.0.0.1\n45.1.1.0/24x\n");
  await runScript(
    `
$ fleetban feeds fetch outside
outside: fetched: 2 listings changed

$ fleetban feeds fetch outside
outside: unchanged

$ fleetban feeds show outside
feed:  outside
at:  ${path}
mode:  enforce
list:  feeds
licence:  own-use
entries:  2
left out:  1 not-an-address, 1 special-purpose
every:  1h
listed for:  1d
next:  WHEN
outcome:  unchanged
hold:  (none)
collisions:  (none)

last fetches:
FETCH  WHEN  MADE  ENTRIES  LEFT OUT  OUTCOME
  2  WHEN  (none)  0  0  unchanged
  1  WHEN  WHEN  2  2  fetched

lines that were left out, some of each kind:
LINE  TEXT  PROBLEM
  4  10.0.0.1  prefix 10.0.0.1: overlaps 10.0.0.0/8, private use, RFC 1918
  5  45.1.1.0/24x  prefix 45.1.1.0/24x: has a length that is no number; write the length as /24, not as a netmask

$ fleetban feeds fetch outsid
! fleetban: error: feed outsid: is not in the policy in force
! fleetban: hint: there are: outside
= 1

$ fleetban feeds presets
PRESET  LIST  MODE  EVERY  LICENCE  NOTE
${[ABUSEIPDB_PRESET, ...PRESETS].map(presetLine).join("\n")}
`,
    coordinator.adminSocket,
  );
});

test("a fetch whose list is held ends as what is not done: it waits for a word", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fb-feed-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "list.txt");
  const coordinator = await startCoordinator(t, { feeds: [listFeed({ at: { kind: "file", path } })] });
  const some = (count: number) => Array.from({ length: count }, (_, index) => `45.1.1.${index}\n`).join("");
  const run = (script: string) => runScript(script, coordinator.adminSocket);
  await writeFile(path, some(100));
  await run(`
$ fleetban feeds fetch outside
outside: fetched: 100 listings changed
`);
  await writeFile(path, some(10));
  const waits = `! fleetban: error: feed outside: its list waits for your word, as hold 1; the one before stays
! fleetban: hint: fleetban holds show 1, then: fleetban holds approve 1, or: fleetban holds reject 1
= 3`;
  await run(`
$ fleetban feeds fetch outside
outside: held: the list shrinks to less than half: 10 entries, it had 100
${waits}

$ fleetban feeds fetch outside
outside: unchanged: it is the list that was held, as fetch 2
${waits}

$ fleetban holds reject 1
feed outside: its old list stays in force, the held one is dropped

$ fleetban feeds fetch outside
outside: unchanged: it is the list that was held, as fetch 2
`);
});

function presetLine({ name, title, mode, everySeconds, licence, note }: typeof ABUSEIPDB_PRESET | Preset): string {
  return [name, title, mode, humanSeconds(everySeconds), licence, note].join("  ");
}
