import { test } from "node:test";
import { type FakeAbuseIpdb, FREE_KEY, startFakeAbuseIpdb } from "../../../test/support/fake-abuseipdb.ts";
import { startFakeSmtp } from "../../../test/support/fake-smtp.ts";
import { startFakeWebhook } from "../../../test/support/fake-webhook.ts";
import { startCoordinator } from "../../src/drivers/coordinator.fixture.ts";
import { batchOf, sightingOf } from "../../src/ledger/sightings.fixture.ts";
import type { Channel } from "../../src/notifications/channel.ts";
import { runScript } from "./cli-script.fixture.ts";

type Coordinator = Awaited<ReturnType<typeof startCoordinator>>;

test("what would be reported is seen before anything is, and why the rest would not", async (t) => {
  const fake: FakeAbuseIpdb = await startFakeAbuseIpdb({ entries: [] });
  t.after(() => fake.close());
  const coordinator = await startCoordinator(t, {
    outgoing: { "feeds.abuseipdb.key": FREE_KEY, "feeds.abuseipdb.url": fake.url },
  });
  await sight(coordinator, "web1", "5.6.7.8", "sshd");
  await sight(coordinator, "web2", "5.6.7.9", "shop");
  await runScript(
    `
$ fleetban reports preview
5.6.7.8  worth 40, as brute-force, ssh
  brute-force, ssh: 5 failures in 1 ban by 1 server of one fleet (fail2ban sshd), tcp ssh, MINUTE.
left out: 1 address, no category for their jail
  shop: 1 address; map it in report.jails
reporting is off: the policy's report.mode switches it on

$ fleetban reports preview 5.6.7.9
nothing would be reported
left out: 1 address, no category for their jail
  shop: 1 address; map it in report.jails
reporting is off: the policy's report.mode switches it on

$ fleetban reports preview here
! fleetban: error: address here: is none
! fleetban: hint: write it like 8.8.8.8 or 2a01::1
= 2

$ fleetban reports
no reports

$ fleetban reports list --state lost
! fleetban: error: state lost: is none
! fleetban: hint: it is one of planned, sending, sent, refused, unknown
= 2

$ fleetban report status
reporting:  off; the policy's report.mode switches it on
key:  (hidden)
reports:  none yet
next bulk report:  (none)

CALLS  LEFT  A DAY  LAST  NOTHING UNTIL  PROBLEM
bulk-report  4  4  (none)  (none)  (none)
check  800  800  (none)  (none)  (none)
report  800  800  (none)  (none)  (none)
`,
    coordinator.adminSocket,
  );
});

test("a test message tells whether a channel works, and the list what it gets", async (t) => {
  const [smtp, webhook] = [await startFakeSmtp(), await startFakeWebhook()];
  t.after(() => Promise.all([smtp.close(), webhook.close()]));
  const host = { host: "127.0.0.1", port: smtp.port, tls: "none", ca: undefined, login: undefined } as const;
  const channels: readonly Channel[] = [
    { kind: "mail", name: "mail", ...host, from: "fleetban@example.org", to: ["ops@example.org"] },
    { kind: "webhook", name: "chat", url: webhook.url, format: "slack", secret: undefined },
  ];
  const { adminSocket } = await startCoordinator(t, { outgoing: { channels } });
  webhook.answer(204);
  webhook.answer(404);
  await runScript(
    `
$ fleetban notifications test
mail (ops@example.org by 127.0.0.1:PORT): sent
chat (slack to 127.0.0.1:PORT): sent

$ fleetban notifications test chat
chat (slack to 127.0.0.1:PORT): not sent, status 404; look at its url
! fleetban: error: chat: did not take the test message
! fleetban: hint: look at notifications in coordinator.yaml, then restart the coordinator
= 1

$ fleetban notifications test pager
! fleetban: error: channel pager: is not configured
! fleetban: hint: there are: mail, chat
= 1

$ fleetban notifications
CHANNEL  TO  GETS  WAITING
mail  ops@example.org by 127.0.0.1:PORT  first_listings, repeat_offenders, holds, agents  0
chat  slack to 127.0.0.1:PORT  first_listings, repeat_offenders, holds, agents  0

no message was made yet
`,
    adminSocket,
  );
});

test("without a channel it is said where to configure one", async (t) => {
  const { adminSocket } = await startCoordinator(t);
  await runScript(
    `
$ fleetban notifications list
no channel is configured; see notifications.mail and notifications.webhooks in coordinator.yaml

no message was made yet

$ fleetban notifications test
! fleetban: error: no channel is configured
! fleetban: hint: see notifications.mail and notifications.webhooks in coordinator.yaml
= 1
`,
    adminSocket,
  );
});

async function sight({ store, ledger }: Coordinator, agent: string, address: string, jail: string): Promise<void> {
  const [row] = await store.sql<{ agent_no: number }[]>`
    insert into agents (agent_id, name) values (gen_random_uuid(), ${agent}) returning agent_no`;
  const agentNo = row?.agent_no ?? 0;
  await ledger.commitSightings(batchOf(ledger, agentNo, 1, [sightingOf(ledger, address, { jail })], agent));
}
