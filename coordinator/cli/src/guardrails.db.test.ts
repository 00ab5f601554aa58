/** What operators type of holds, packs and times, as the handbook has it. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { LIST_FEEDS } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { madeUpEntries } from "../../../test/support/fake-abuseipdb/entries.ts";
import { startFakeAbuseIpdb } from "../../../test/support/fake-abuseipdb.ts";
import { startCoordinator } from "../../src/drivers/coordinator.fixture.ts";
import { defaultGuardrails } from "../../src/feeds/default-guardrails.fixture.ts";
import { feedAt } from "../../src/feeds/feeds.fixture.ts";
import { sizeOf } from "../../src/guardrails/brake-list.ts";
import { syncPacks } from "../../src/guardrails/sync-packs.ts";
import { runScript } from "./cli-script.fixture.ts";

const signal = new AbortController().signal;

test("packs: what there is, what is in force, and what that means for a ban", async (t) => {
  const { adminSocket, packs } = await startCoordinator(t, { packs: ["public-resolvers", "nobody"] });
  await syncPacks(packs, signal);
  await runScript(
    `
$ fleetban packs
PACK  WHAT  PREFIXES  DATE  STATE
applebot  Apple's crawler  12  2026-02-11  not chosen
bingbot  Microsoft Bing's crawler  28  2025-08-01  not chosen
ca-validators  Certificate authorities' validators  11  2025-12-11  not chosen
cloudflare  Cloudflare's edges  22  2026-03-12  not chosen
fastly  Fastly's edges  21  2025-01-01  not chosen
github  GitHub: webhooks, git, pages and API  6  2026-03-12  not chosen
googlebot  Google's crawlers  26  2026-03-16  not chosen
nobody  (no file of that name)  0  (none)  chosen, not in force yet
public-resolvers  Public DNS resolvers  66  2025-12-19  in force since WHEN

$ fleetban packs show applebot
pack:  applebot
what:  Apple's crawler
source:  https://search.developer.apple.com/applebot.json
date:  2026-02-11
terms:  published by Apple so that its crawler can be told from others; no terms stated
note:  (none)
state:  not chosen

17.22.237.0/24
17.22.245.0/24
17.22.253.0/24
17.241.75.0/24
17.241.193.160/27
17.241.200.160/27
17.241.208.160/27
17.241.219.0/24
17.241.227.0/24
17.246.15.0/24
17.246.19.0/24
17.246.23.0/24

$ fleetban packs show nothing
! fleetban: error: pack nothing: does not exist
! fleetban: hint: there are: applebot, bingbot, ca-validators, cloudflare, fastly, github, googlebot, public-resolvers
= 1

$ fleetban ban 9.9.9.9
! fleetban: error: prefix 9.9.9.9: is in never-ban pack public-resolvers
! fleetban: hint: take public-resolvers out of \`packs\` in the policy first; see: fleetban packs show public-resolvers
= 1

$ fleetban allowlist
nothing is on the allowlist
`,
    adminSocket,
  );
});

test("a held list is looked at, and let in", async (t) => {
  const { adminSocket, fake } = await withFeed(t);
  await runScript("$ fleetban feeds fetch abuseipdb\nabuseipdb: fetched: 200 listings changed", adminSocket);
  fake.setEntries(madeUpEntries(30, 3));
  fake.advanceClock(2_000);
  fake.regenerate();
  await runScript(
    `
$ fleetban feeds fetch abuseipdb
abuseipdb: held: the list shrinks to less than half: 30 entries, it had 200
! fleetban: error: feed abuseipdb: its list waits for your word, as hold 1; the one before stays
! fleetban: hint: fleetban holds show 1, then: fleetban holds approve 1, or: fleetban holds reject 1
= 3

$ fleetban holds
NUMBER  WHAT  OPENED  RESOLUTION  REASON
  1  feed abuseipdb  WHEN  open  the list shrinks to less than half: 30 entries, it had 200

$ fleetban status
fleetban test on test, store postgres, jobs by timer, up WHEN
warning: feed-held (abuseipdb): a new list was held, the old one stays in force; see: fleetban holds list
1 hold waits for you: fleetban holds list

LIST  EFFECT  LISTINGS  REVISION  CHANGED
exempt  exempt  0  0  (none)
fleet  deny  0  0  (none)
feeds  deny  200  1  WHEN
probe  deny  0  0  (none)
trial  deny  0  0  (none)

no agents; add one: fleetban enrollments create

FEED  MODE  ENTRIES  MADE  FETCHED  NEXT  CALLS TODAY  OUTCOME
abuseipdb  enforce  200  WHEN  WHEN  WHEN  2 of 5  held: the list shrinks to less than half: 30 entries, it had 200, held as 1

0 sightings today

$ fleetban holds approve 1 --reason 'they cleaned up'
feed abuseipdb: 30 entries are in force, 230 listings changed

$ fleetban holds show 1
hold 1: feed abuseipdb, approved WHEN by tester
held WHEN because the list shrinks to less than half: 30 entries, it had 200

$ fleetban holds show 7
! fleetban: error: hold 7: does not exist
! fleetban: hint: see: fleetban holds list --resolved
= 1
`,
    adminSocket,
  );
});

test("a held change of a whole list is looked at, rejected, and let go", async (t) => {
  const { adminSocket, store } = await startCoordinator(t);
  const net = (count: number) => Array.from({ length: count }, (_, at) => parsePrefix(`45.91.7.${at}`));
  const wish = {
    cause: "feeds",
    list: { list: LIST_FEEDS, name: "feeds" },
    before: sizeOf(net(200)),
    added: [],
  } as const;
  const { brake } = defaultGuardrails(store);
  await brake({ ...wish, removed: net(150) });
  await runScript(
    `
$ fleetban holds show 1
hold 1: list feeds, open
held WHEN because it falls from 200 listings to 50 at once
  by what its feeds name WHEN
  WHEN: 200 prefixes
  after it: 50 prefixes
  taken off: 45.91.7.0, 45.91.7.1, 45.91.7.2, 45.91.7.3, 45.91.7.4, 45.91.7.5, 45.91.7.6, 45.91.7.7, 45.91.7.8, 45.91.7.9 and 140 more
  approve: the change goes on within a minute, and so does any for a day that takes no more away and covers no more
  reject: it is not asked again for a week; listings that were to go end by their own time

$ fleetban holds reject 1
list feeds: stays as it is, and is not asked about again for a week
`,
    adminSocket,
  );
  await brake({ ...wish, removed: net(190) });
  await runScript(
    `
$ fleetban holds approve 2 --reason 'it was us'
list feeds: the change goes on within a minute

$ fleetban holds list
no hold is open
`,
    adminSocket,
  );
  assert.equal((await brake({ ...wish, removed: net(190) })).isApproved, true);
});

test("an act lasts for a time, or until a moment", async (t) => {
  const { adminSocket } = await startCoordinator(t);
  const year = new Date().getUTCFullYear() + 1;
  await runScript(
    `
$ fleetban allow 8.8.8.8 --until ${year}-12-31 --reason 'a partner'
allowlist 1: 8.8.8.8 is never listed until TIME UTC
8.8.8.8 was not listed: nothing to take off

$ fleetban unban 8.8.4.4 --until ${year}-12-31T18:00:00+01:00
pardon 1: 8.8.4.4 is let through until TIME UTC, whatever feeds and agents say
8.8.4.4 was not listed: nothing to take off
every server's fail2ban lifts what it banned of it before WHEN

$ fleetban unban 8.8.8.8 --until 2020-01-01
! fleetban: error: --until 2020-01-01T00:00:00Z: is over
! fleetban: hint: name a moment to come
= 2

$ fleetban unban 8.8.8.8 --until ${year}-01-01 --for 7d
! fleetban: error: --for and --until: both say when it ends
! fleetban: hint: give one of them
= 2

$ fleetban unban 8.8.8.8 --until tomorrow
! fleetban: error: option '--until <moment>' argument 'tomorrow' is invalid
! fleetban: hint: write it like 2026-12-31 (UTC) or 2026-12-31T18:00:00Z; see fleetban unban --help
= 2
`,
    adminSocket,
  );
});

async function withFeed(t: TestContext) {
  const fake = await startFakeAbuseIpdb({ entries: madeUpEntries(200) });
  t.after(() => fake.close());
  const { adminSocket } = await startCoordinator(t, { feeds: [feedAt(fake.url)] });
  return { adminSocket, fake };
}
