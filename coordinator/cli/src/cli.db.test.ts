import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { startCoordinator, unary } from "../../src/drivers/coordinator.fixture.ts";
import { feedAt } from "../../src/feeds/feeds.fixture.ts";
import { TestAgent } from "../../src/fleet/test-agent.fixture.ts";
import { runScript } from "./cli-script.fixture.ts";

test("the everyday acts", async (t) => {
  const { adminSocket } = await startCoordinator(t);
  await runScript(
    `
$ fleetban ban 8.8.8.8 --for 7d --reason 'scans us' --wait
ban 1: 8.8.8.8 is listed on fleet until TIME UTC
no agent is online; each gets it when it connects

$ fleetban bans list
NUMBER  PREFIX  BEGUN  UNTIL  AUTHOR  REASON
  1  8.8.8.8  WHEN  WHEN  tester  scans us

$ fleetban explain 8.8.8.8
8.8.8.8 is listed on fleet until TIME UTC (ban)

listings:
  LIST  PREFIX  UNTIL  RANK  LISTED  REASONS
  fleet  8.8.8.8  WHEN  0  WHEN  ban

bans:
  NUMBER  PREFIX  BEGUN  UNTIL  AUTHOR  REASON
  1  8.8.8.8  WHEN  WHEN  tester  scans us

judged by the default policy:
  ban 1 by an operator
  without it: not listed: nothing in force

what would take it off:
  fleetban bans remove 1
  fleetban unban 8.8.8.8
  fleetban allow 8.8.8.8
  by itself at TIME UTC, if nothing prolongs it

$ fleetban unbanip 8.8.8.8
pardon 1: 8.8.8.8 is let through until TIME UTC, whatever feeds and agents say
ban 1 of 8.8.8.8 is ended
8.8.8.8 is taken off fleet
every server's fail2ban lifts what it banned of it before WHEN

$ fleetban ban list
no bans

$ fleetban pardon remove 8.8.8.8
pardon 1 of 8.8.8.8 is ended

$ fleetban allow 8.8.8.0/24 --dry-run
allowlist 1: 8.8.8.0/24 is never listed until an operator ends it
8.8.8.0/24 was not listed: nothing to take off
(this is a plan: nothing was changed)

$ fleetban ban 8.0.0.0/9
ban 2: 8.0.0.0/9 is listed on fleet until an operator ends it
(this is a plan: nothing was changed)
! fleetban: error: 8.0.0.0/9: is so wide that nothing was changed yet
! fleetban: hint: the plan is above; repeat the command with --yes to carry it out
= 2

$ fleetban audit
NUMBER  WHEN (UTC)  WHO  ACT  WHAT  REASON
  3  TIME  tester  pardons remove  8.8.8.8  (none)
  2  TIME  tester  unban  8.8.8.8  (none)
  1  TIME  tester  ban  8.8.8.8  scans us
`,
    adminSocket,
  );
});

test("mistakes are answered with their remedy", async (t) => {
  const { adminSocket, folder } = await startCoordinator(t);
  await runScript(
    `
$ fleetban ban 10.0.0.1
! fleetban: error: prefix 10.0.0.1: is inside 10.0.0.0/8, a protected range (private use, RFC 1918)
! fleetban: hint: only globally reachable unicast addresses can be banned
= 1

$ fleetban ban 1.2.3
! fleetban: error: prefix 1.2.3: is a short form
! fleetban: hint: write all four numbers
= 2

$ fleetban ban
! fleetban: error: missing required argument 'prefix'
! fleetban: hint: see fleetban ban --help
= 2

$ fleetban bna 8.8.8.8
! fleetban: error: unknown command 'bna'
! fleetban: hint: Did you mean ban?
= 2

$ fleetban ban 8.8.8.8 --for ever
! fleetban: error: option '--for <duration>' argument 'ever' is invalid
! fleetban: hint: write numbers with units w d h m s, the larger first, like 10m or 1h30m; see fleetban ban --help
= 2

$ fleetban holds approve three
! fleetban: error: value 'three' is invalid for argument 'number'
! fleetban: hint: must be a whole number above 0; see fleetban holds approve --help
= 2

$ fleetban help bna
! fleetban: error: unknown command 'bna'
! fleetban: hint: see fleetban --help
= 2

$ fleetban bans remove 7
! fleetban: error: ban 7: is not in force
! fleetban: hint: \`fleetban bans list\` shows those that are
= 1

$ fleetban agents show nobody
! fleetban: error: agent nobody: is not known
! fleetban: hint: \`fleetban agents list\` shows names and ids
= 1

$ fleetban ban 8.8.8.8 --for 4000d
! fleetban: error: a time of 4000d: is longer than ten years
! fleetban: hint: name a shorter one; without --for a ban or an allow is open-ended
= 2

$ fleetban agents revoke web1
! fleetban: error: agent web1: is not known
! fleetban: hint: \`fleetban agents list\` shows names and ids
= 1

$ fleetban feeds fetch abuseipdb
! fleetban: error: feed abuseipdb: is not in the policy in force
! fleetban: hint: the policy defines none; see: fleetban feeds presets
= 1

$ fleetban --socket ${folder}/none.sock status
! fleetban: error: the coordinator cannot be reached at ${folder}/none.sock: there is no such socket
! fleetban: hint: is it running on this machine (\`systemctl status fleetban-coordinator\`, in a checkout \`npm start\`)? else use --socket or --address
= 1

$ fleetban --address 127.0.0.1:1 status
! fleetban: error: address 127.0.0.1:1: needs an operator's certificate
! fleetban: hint: name its folder with --credentials; \`fleetban certificates create NAME\` at the coordinator makes one
= 2
`,
    adminSocket,
  );
});

test("agents, probes and enrollments", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = new TestAgent(coordinator.fleetClient(await coordinator.enroll("web1")));
  await agent.connect();
  await until("the first snapshots", () => agent.mirrors.size === 4);
  await until("the reports", () => coordinator.fleet.reported.find(1)?.lists.size === 4);
  const { sql } = coordinator.store;
  await sql`insert into agent_groups (name, lists) values ('edge', '{1,2,4,5}')`;
  await sql`
    insert into job_runs (job, started_at, ended_at, outcome, detail)
    select job, now() - ago * interval '1 second', now() - ended * interval '1 second', outcome, detail
    from (values
      ('feeds', 4, 3, 'done', '{"replica": "one"}'::jsonb),
      ('feeds', 2, 1, 'failed', '{"replica": "one", "error_code": "feed-unreadable"}'),
      ('packs', 1, null, null, '{"replica": "one"}')) as t(job, ago, ended, outcome, detail)`;
  await runScript(
    `
$ fleetban status
fleetban test on test, store postgres, jobs by timer, up WHEN
job feeds failed WHEN (feed-unreadable), last done WHEN: fleetban jobs show feeds

LIST  EFFECT  LISTINGS  REVISION  CHANGED
exempt  exempt  0  0  (none)
fleet  deny  0  0  (none)
feeds  deny  0  0  (none)
probe  deny  0  0  (none)
trial  deny  0  0  (none)

AGENT  STATE  SEEN  BACKEND  ENTRIES  KERNEL  VERSION  WARNINGS
web1  online  WHEN  test  0  equal  test  (none)

0 sightings today

$ fleetban ban 9.9.9.9 --wait
ban 1: 9.9.9.9 is listed on fleet until an operator ends it
in the kernels of 1 agent after TOOK

$ fleetban agents probe web1
AGENT  ADDRESS  NETWORK  ADDED  TESTED  REMOVED  TOTAL  BACKEND  RULE  OUTCOME
web1  192.0.2.2  TOOK  TOOK  TOOK  TOOK  TOOK  test  present  passed

$ fleetban agents probe --last
PROBED  AGENT  ADDRESS  NETWORK  ADDED  TESTED  REMOVED  TOTAL  BACKEND  RULE  OUTCOME
WHEN  web1  192.0.2.2  TOOK  TOOK  TOOK  TOOK  TOOK  test  present  passed

$ fleetban jobs
JOB  BEGUN  TOOK  OUTCOME  LAST DONE  FAILED TODAY
feeds  WHEN  TOOK  failed: feed-unreadable  WHEN  1
packs  WHEN  (none)  not ended  (none)  0

$ fleetban jobs show feeds
BEGUN  TOOK  OUTCOME  REPLICA
WHEN  TOOK  failed: feed-unreadable  one
WHEN  TOOK  done  one

$ fleetban job show nothing
! fleetban: error: job nothing: is not known
! fleetban: hint: \`fleetban jobs list\` shows their names
= 1

$ fleetban enrollments create --uses 3 --group default
fleetban-agent enroll TOKEN
! type that on the server; the token is good 3 times, and ends WHEN

$ fleetban enrollment
NUMBER  STATE  USES LEFT  GROUP  MADE  ENDS  AUTHOR
  2  open  3  default  WHEN  WHEN  tester
  1  used  0  default  WHEN  WHEN  (unknown)

$ fleetban enrollments revoke 2
enrollment 2 is revoked

$ fleetban enrollments create --group nope
! fleetban: error: group "nope": does not exist
! fleetban: hint: there are: default, edge
= 1

$ fleetban agents move web1
! fleetban: error: required option '--group <name>' not specified
! fleetban: hint: see fleetban agents move --help
= 2

$ fleetban agents move web1 --group nope
! fleetban: error: group "nope": does not exist
! fleetban: hint: there are: default, edge; the policy makes others (groups)
= 1

$ fleetban agents move web1 --group edge --reason 'has a wide door'
agent web1 is in group edge; it was in default
at once it is given trial and loses feeds

$ fleetban agents move web1 --group edge
agent web1 is in group edge already

$ fleetban audit list --limit 1
NUMBER  WHEN (UTC)  WHO  ACT  WHAT  REASON
  5  TIME  tester  agents move  web1 UUID: default to edge  has a wide door

$ fleetban agents revoke web1
! fleetban: error: agent web1: would be cut off for good
! fleetban: hint: repeat the command with --yes
= 2

$ fleetban agents revoke web1 --yes
agent web1 is revoked, its stream was cut; what it has in its kernel runs out by itself

$ fleetban agents revoke web1 --yes
! fleetban: error: agent web1: is revoked
! fleetban: hint: to bring that server back: \`fleetban enrollments create\`, and there \`fleetban-agent enroll --force TOKEN\`
= 1
`,
    coordinator.adminSocket,
  );
  // What it said of itself is written each ten seconds: before it was revoked or not.
  await coordinator.store.sql`update agents set last_hello = null`;
  await coordinator.store.sql`delete from agent_lists`;
  await runScript(
    `
$ fleetban agents
AGENT  STATE  SEEN  BACKEND  ENTRIES  KERNEL  VERSION  WARNINGS
web1  revoked  (none)  (none)  0  (none)  (none)  (none)

$ fleetban agents probe
! fleetban: error: no agent is online
! fleetban: hint: \`fleetban agents list\` shows why
= 1
`,
    coordinator.adminSocket,
  );
});

test("listings, and a certificate for the network", async (t) => {
  const { adminSocket, folder, fleetTarget } = await startCoordinator(t);
  const out = join(folder, "anna");
  await runScript(
    `
$ fleetban ban 8.8.8.8
ban 1: 8.8.8.8 is listed on fleet until an operator ends it

$ fleetban listings list 8.8.0.0/16
LIST  PREFIX  UNTIL  RANK  LISTED  REASONS
fleet  8.8.8.8  open-ended  0  WHEN  ban

$ fleetban lists
LIST  EFFECT  LISTINGS  REVISION  CHANGED
exempt  exempt  0  0  (none)
fleet  deny  1  1  WHEN
feeds  deny  0  0  (none)
probe  deny  0  0  (none)
trial  deny  0  0  (none)

$ fleetban certificates create anna --out ${out}
${out}: a key and a certificate that ends WHEN
! use it from anywhere: fleetban --credentials ${out} status

$ fleetban certificates create anna --out ${out}
! fleetban: error: ${join(out, "key.pem")}: is there already
! fleetban: hint: name another folder with --out
= 1

$ fleetban --credentials ${out} --address ${fleetTarget} unban 8.8.8.8 --reason 'from afar'
pardon 1: 8.8.8.8 is let through until TIME UTC, whatever feeds and agents say
ban 1 of 8.8.8.8 is ended
8.8.8.8 is taken off fleet
every server's fail2ban lifts what it banned of it before WHEN

$ fleetban audit list --limit 1
NUMBER  WHEN (UTC)  WHO  ACT  WHAT  REASON
  3  TIME  anna  unban  8.8.8.8  from afar

$ fleetban --credentials ${out} --address 127.0.0.1 status
! fleetban: error: address 127.0.0.1: has no port
! fleetban: hint: write it with its port: --address 127.0.0.1:7741
= 2

$ fleetban certificates revoke anna
certificate of anna is revoked

$ fleetban --credentials ${out} --address ${fleetTarget} status
! fleetban: error: certificate of operator anna: is revoked or not known here
! fleetban: hint: make a new one at the coordinator: fleetban certificates create NAME
= 1
`,
    adminSocket,
  );
  assert.ok(existsSync(join(out, "ca.pem")));
});

test("what is empty is said in words", async (t) => {
  const { adminSocket } = await startCoordinator(t);
  await runScript(
    `
$ fleetban agents
no agents; add one: fleetban enrollments create

$ fleetban enrollments
no enrollments; make a token: fleetban enrollments create

$ fleetban listings list 8.8.8.8 --list exempt
no listings on exempt inside or around 8.8.8.8

$ fleetban bans
no bans

$ fleetban pardons
no pardons

$ fleetban allowlist
nothing is on the allowlist

$ fleetban feeds
the policy in force defines no feed; see: fleetban feeds presets

$ fleetban feeds show greensnow
! fleetban: error: feed greensnow: there is none of that name
! fleetban: hint: there is none yet; see: fleetban feeds presets
= 1

$ fleetban holds
no hold is open

$ fleetban audit
no operator has done anything yet

$ fleetban certificates
no certificates; make one: fleetban certificates create NAME
`,
    adminSocket,
  );
});

test("programs get the wire's own names", async (t) => {
  const { adminSocket } = await startCoordinator(t);
  await runScript(
    `
$ fleetban --json lists list
[
  {
  "list": 1,
  "name": "exempt",
  "effect": "exempt",
  "revision": 0,
  "digest": "SERIAL",
  "listings": 0,
  "committed_at_ms": 0
  },
  {
  "list": 2,
  "name": "fleet",
  "effect": "deny",
  "revision": 0,
  "digest": "SERIAL",
  "listings": 0,
  "committed_at_ms": 0
  },
  {
  "list": 3,
  "name": "feeds",
  "effect": "deny",
  "revision": 0,
  "digest": "SERIAL",
  "listings": 0,
  "committed_at_ms": 0
  },
  {
  "list": 4,
  "name": "probe",
  "effect": "deny",
  "revision": 0,
  "digest": "SERIAL",
  "listings": 0,
  "committed_at_ms": 0
  },
  {
  "list": 5,
  "name": "trial",
  "effect": "deny",
  "revision": 0,
  "digest": "SERIAL",
  "listings": 0,
  "committed_at_ms": 0
  }
]
`,
    adminSocket,
  );
});

test("what was dropped: by listing, by feed, and of one address", async (t) => {
  const feed = feedAt("http://127.0.0.1:9");
  const coordinator = await startCoordinator(t, { feeds: [feed], policy: { pruneAfterSeconds: 30 * 86_400 } });
  const { adminSocket, store } = coordinator;
  await runScript(
    `
$ fleetban hits
7 days, packets dropped: none; agents whose backend counts tell of theirs every few minutes

$ fleetban ban 8.8.8.8
ban 1: 8.8.8.8 is listed on fleet until an operator ends it
`,
    adminSocket,
  );
  await store.sql`
    insert into hits (day, list_no, prefix, packets, bytes, agents, agent_nos, last_at)
    select (clock_timestamp() at time zone 'utc')::date - day, list, prefix::cidr, packets, packets * 60,
      cardinality(agents), agents, clock_timestamp()
    from (values (0, 2, '8.8.8.8', 1200, '{1,2}'::int[]), (1, 2, '8.8.8.8', 34, '{2,3}'), (0, 3, '9.9.9.9', 5, '{1}'),
      (8, 2, '8.8.8.8', 999, '{9}')) as t (day, list, prefix, packets, agents)`;
  await store.sql`
    insert into hit_totals (day, list_no, rank, feed_no, packets, bytes, last_at)
    select (clock_timestamp() at time zone 'utc')::date, list, rank, feed, packets, packets * 60, clock_timestamp()
    from (values (2, 0, 0, 1300), (3, 3, 1, 40)) as t (list, rank, feed, packets)`;
  await store.sql`
    insert into feed_prefixes (feed_no, prefix, confidence, first_fetch_no)
    select 1, ('9.9.9.' || n)::cidr, 100, 1 from generate_series(1, 8) n`;
  await runScript(
    `
$ fleetban hits
PREFIX  LIST  PACKETS  BYTES  AGENTS  LAST  LISTED
8.8.8.8  fleet  1 234  74 040  3  WHEN  yes
9.9.9.9  feeds  5  300  1  WHEN  no

7 days, packets dropped: 1 300 by fleet, 40 by feeds

$ fleetban hits --list feeds --days 1
PREFIX  LIST  PACKETS  BYTES  AGENTS  LAST  LISTED
9.9.9.9  feeds  5  300  1  WHEN  no

1 day, packets dropped: 40 by feeds

$ fleetban hits --days 91
! fleetban: error: 91 days: hits are kept for 90 days
! fleetban: hint: ask for 90 or less
= 2

$ fleetban feeds
FEED  MODE  ENTRIES  MADE  FETCHED  NEXT  CALLS TODAY  OUTCOME
abuseipdb  enforce  0  (none)  (none)  (none)  0 of 5  never

worth, by the packets dropped in 30 days, and how many of 0 new offenders it had named before:
FEED  CONFIDENCE  ENTRIES  UNIQUE  PACKETS  PER 1 000 ENTRIES  LAST HIT  NAMED BEFORE
abuseipdb  (none)  8  8  40  5 000  WHEN  (none)

$ fleetban explain 8.8.8.8
8.8.8.8 is listed on fleet until an operator ends it (ban)

listings:
  LIST  PREFIX  UNTIL  RANK  LISTED  REASONS
  fleet  8.8.8.8  open-ended  0  WHEN  ban

hits:
  2 233 packets dropped in the last 30 days, the last WHEN

bans:
  NUMBER  PREFIX  BEGUN  UNTIL  AUTHOR  REASON
  1  8.8.8.8  WHEN  open-ended  tester  (none)

prune:
  the policy ends it at TIME UTC if nobody tries it until then

judged by the default policy:
  ban 1 by an operator
  without it: not listed: nothing in force

what would take it off:
  fleetban bans remove 1
  fleetban unban 8.8.8.8
  fleetban allow 8.8.8.8
  by itself at TIME UTC, if nobody tries it until then
`,
    adminSocket,
  );
  await store.sql`update hits set last_at = last_at - interval '40 days'`;
  await store.sql`update listings set listed_at = listed_at - interval '40 days'`;
  await store.sql`update bans set banned_at = banned_at - interval '40 days'`;
  const { admin } = coordinator;
  const explained = async () => (await unary(admin, admin.explain, { prefix: "8.8.8.8" })).prune;
  assert.equal(await explained(), "the policy does not end it: no agent has counted packets for long enough");
  await store.sql`update bans set pruned = true, ended_at = '2026-01-02 03:04:05Z'`;
  await store.sql`update listings set until = clock_timestamp() + interval '1 hour'`;
  assert.match(await explained(), /^its open-ended ban was ended 2026-01-02 03:04:05 UTC by the policy/);
});
