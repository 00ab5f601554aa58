import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startCoordinator } from "../../src/drivers/coordinator.fixture.ts";
import type { OutgoingConfig } from "../../src/drivers/open-outgoing.ts";
import { batchOf, sightingOf } from "../../src/ledger/sightings.fixture.ts";
import { runScript } from "./cli-script.fixture.ts";

test("a policy is checked, planned, applied, looked at and taken back", async (t) => {
  const { adminSocket, file, ledger, store } = await stage(t);
  await ledger.commitSightings(
    batchOf(ledger, 1, 1, [sightingOf(ledger, "198.50.0.1"), sightingOf(ledger, "198.50.0.2", { jail: "noise" })]),
  );
  await file(
    "wrong.yaml",
    "jails:\n  sshd: { wieght: 2 }\nstrikes: { ladder: [1d, 1h] }\npacks: [gogglebot]\nfeeds: { abuseipdb: { key: x } }\n",
  );
  await file("sly.yaml", '"\\e[2Jx": 1\n'); // what another one wrote does not act on the terminal
  await file("stdin", "jails: { '': { weight: 1 } }\nfeeds: { own: { file: list.txt } }\n");
  await file("told.yaml", "notifications.holds.to: [pager]\n");
  await file("quiet.yaml", "jails: { noise: { weight: 0 } }\n");
  await runScript(
    `
$ fleetban policy
no policy was applied: the defaults hold

$ fleetban policy check wrong.yaml
wrong.yaml:2: jails.sshd.wieght is no key of this file; did you mean weight?
wrong.yaml:3: strikes.ladder has 1h after 1d: a later strike would list for less; put them in order
wrong.yaml:4: packs has "gogglebot", and there is no such pack; did you mean googlebot?
wrong.yaml:5: feeds.abuseipdb.key is no key of this file; it belongs into coordinator.yaml
! fleetban: error: wrong.yaml has 4 mistakes
! fleetban: hint: the schema: fleetban policy schema
= 1

$ fleetban policy check told.yaml
told.yaml:1: notifications.holds.to has "pager", and this coordinator has no such channel; coordinator.yaml has none: add it to coordinator.yaml, or write []
! fleetban: error: told.yaml has a mistake
! fleetban: hint: the schema: fleetban policy schema
= 1

$ fleetban policy check sly.yaml
sly.yaml:1: �[2Jx is no key of this file; remove it
! fleetban: error: sly.yaml has a mistake
! fleetban: hint: the schema: fleetban policy schema
= 1

$ fleetban policy check -
stdin:1: jails has the name ""; give it one
stdin:2: feeds.own.file is "list.txt": must be an absolute path; begin it with /
! fleetban: error: stdin has 2 mistakes
! fleetban: hint: the schema: fleetban policy schema
= 1

$ fleetban policy plan -
! fleetban: error: stdin:1: jails has the name ""; give it one; and 1 more
! fleetban: hint: \`fleetban policy check FILE\` tells all mistakes
= 2

$ fleetban policy plan wrong.yaml
! fleetban: error: wrong.yaml:2: jails.sshd.wieght is no key of this file; did you mean weight?; and 3 more
! fleetban: hint: \`fleetban policy check FILE\` tells all mistakes
= 2

$ fleetban policy check quiet.yaml
quiet.yaml: no mistakes

$ fleetban policy plan quiet.yaml
7 days replayed: 2 sightings of 2 prefixes
strikes in them: 2 made, 1 by this policy

LIST  IN FORCE  ADDED  REMOVED  ALTERED
fleet  2  0  1  0

CHANGE  LIST  PREFIX  NOW  THEN  BECAUSE
remove  fleet  198.50.0.2  WHEN, rank 2  (none)  no more: strike

$ fleetban policy apply quiet.yaml --reason 'noise is noise' --confirm-within 10m
7 days replayed: 2 sightings of 2 prefixes
strikes in them: 2 made, 1 by this policy

LIST  IN FORCE  ADDED  REMOVED  ALTERED
fleet  2  0  1  0

CHANGE  LIST  PREFIX  NOW  THEN  BECAUSE
remove  fleet  198.50.0.2  WHEN, rank 2  (none)  no more: strike

policy 1 is stored
policy 1 is in force, and the lists are what its plan says
it goes back by itself WHEN, unless you say: fleetban policy confirm

$ fleetban listings list
LIST  PREFIX  UNTIL  RANK  LISTED  REASONS
fleet  198.50.0.1  WHEN  2  WHEN  strike

$ fleetban policy apply quiet.yaml
! fleetban: error: policy 1 waits for its confirmation
! fleetban: hint: say \`fleetban policy confirm\` or \`fleetban policy rollback\` first
= 1

$ fleetban policy confirm
policy 1 is confirmed: it stays

$ fleetban policy rollback --reason 'noise was no noise'
policy 1 is rolled back: noise was no noise
the defaults hold, and the lists are what it makes of them

$ fleetban listings list
LIST  PREFIX  UNTIL  RANK  LISTED  REASONS
fleet  198.50.0.1  WHEN  2  WHEN  strike
fleet  198.50.0.2  WHEN  2  WHEN  strike

$ fleetban policy history
NUMBER  STATE  APPLIED  AUTHOR  REASON  REMARK
  1  rolled-back  WHEN  tester  noise is noise  noise was no noise

$ fleetban policy rollback
! fleetban: error: no policy was applied: the defaults hold
! fleetban: hint: \`fleetban policy apply FILE\` applies one
= 1
`,
    adminSocket,
    file.folder,
  );
  const acts = await store.sql<{ act: string }[]>`select act || ' ' || subject as act from audit_log order by audit_no`;
  assert.deepEqual(
    acts.map(({ act }) => act),
    ["policy apply policy 1", "policy begin policy 1", "policy confirm policy 1", "policy rollback policy 1"],
  );
});

test("what comes by a pipe from a command that failed is no policy", async (t) => {
  const { adminSocket, file, folder } = await stage(t);
  await file("stdin", "\n");
  const script = `
$ fleetban policy apply - --yes
! fleetban: error: stdin is empty: a policy of defaults alone is written as a comment
! fleetban: hint: did the command before the | fail? For the defaults: echo '# defaults' | fleetban policy apply -
= 1
`;
  await runScript(script, adminSocket, folder);
});

test("a policy that wants what coordinator.yaml does not have is told so before it is in force", async (t) => {
  const chat = { kind: "webhook", name: "chat", url: "http://127.0.0.1:9", format: "json", secret: undefined } as const;
  const { adminSocket, file } = await stage(t, { channels: [chat] });
  await file(
    "nowhere.yaml",
    'notifications:\n  holds: { to: [chta, "*"] }\nnotifications.agents.to: [pager]\nreport:\n  mode: send\n',
  );
  await file("somewhere.yaml", "notifications:\n  holds: { to: [chat] }\n  agents: { to: [] }\n");
  await runScript(
    `
$ fleetban policy check nowhere.yaml
nowhere.yaml:2: notifications.holds.to has "chta", and this coordinator has no such channel; did you mean chat?
nowhere.yaml:3: notifications.agents.to has "pager", and this coordinator has no such channel; there are chat: add it to coordinator.yaml, or name another
nowhere.yaml:5: report.mode is "send", and this coordinator has no key of AbuseIPDB; set reports.abuseipdb.key_file in coordinator.yaml and start the coordinator anew, first
! fleetban: error: nowhere.yaml has 3 mistakes
! fleetban: hint: the schema: fleetban policy schema
= 1

$ fleetban policy apply nowhere.yaml --yes
! fleetban: error: nowhere.yaml:2: notifications.holds.to has "chta", and this coordinator has no such channel; did you mean chat?; and 2 more
! fleetban: hint: \`fleetban policy check FILE\` tells all mistakes
= 2

$ fleetban policy check somewhere.yaml
somewhere.yaml: no mistakes
`,
    adminSocket,
    file.folder,
  );
});

async function stage(t: TestContext, outgoing: Partial<OutgoingConfig> = {}) {
  const coordinator = await startCoordinator(t, { outgoing });
  const { folder } = coordinator;
  const file = Object.assign((name: string, text: string) => writeFile(join(folder, name), text), { folder });
  return { ...coordinator, file };
}
