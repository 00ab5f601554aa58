/** Notifications over a real Postgres, a real ledger, a real webhook receiver and a real mail server, for tests. */
import type { TestContext } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import type { Sighting } from "@fleetban/proto/model/sighting";
import { type FakeSmtp, startFakeSmtp } from "../../../test/support/fake-smtp.ts";
import { type FakeWebhook, startFakeWebhook } from "../../../test/support/fake-webhook.ts";
import { exchangeOverHttp } from "../drivers/http-exchange.ts";
import { sendMailOverSmtp } from "../drivers/smtp-mail.ts";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import type { Store } from "../store/store.ts";
import { createTestDatabase, type TestDatabase } from "../store/test-database.ts";
import type { Channel } from "./channel.ts";
import type { Message } from "./message.ts";
import type { NewsRoute, NewsTopic, NotificationPolicy } from "./notification-table.ts";
import { notifyOnce } from "./notifications-jobs.ts";
import type { NotificationsParts } from "./parts.ts";

export interface TestNotifications {
  readonly smtp: FakeSmtp;
  readonly webhook: FakeWebhook;
  readonly database: TestDatabase;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly parts: NotificationsParts;
  readonly online: Set<number>;
  /** Connected until it is taken out of `online`. */
  agent(name: string): Promise<number>;
  sight(agentNo: number, address: string, given?: Partial<Sighting>): Promise<void>;
  notify(): Promise<void>;
  setPolicy(changed: Partial<NotificationPolicy>): void;
  route(topic: NewsTopic, route: Partial<NewsRoute>): void;
  /** As if so long had passed for news and messages. */
  pass(seconds: number): Promise<void>;
  /** Of the webhook, in JSON. */
  messages(): (Message & { readonly id: string })[];
}

/** Everything at once, everywhere, the first look taken. */
export async function startNotifications(t: TestContext): Promise<TestNotifications> {
  const database = await createTestDatabase(t);
  const { store } = database;
  const ledger = await openTestLedger(t, store);
  const smtp = await startFakeSmtp();
  const webhook = await startFakeWebhook();
  t.after(() => Promise.all([smtp.close(), webhook.close()]).catch(() => undefined));
  const online = new Set<number>();
  const seqs = new Map<number, number>();
  const atOnce: NewsRoute = { to: ["*"], everySeconds: 0 };
  let policy: NotificationPolicy = {
    routes: { first_listings: atOnce, repeat_offenders: atOnce, holds: atOnce, agents: atOnce },
    goneAfterSeconds: 600,
    messagesPerHour: 12,
  };
  const channels: readonly Channel[] = [
    {
      ...{ kind: "mail", name: "mail", host: "127.0.0.1", port: smtp.port, tls: "none", ca: undefined },
      ...{ login: undefined, from: "fleetban@example.org", to: ["ops@example.org"] },
    },
    { kind: "webhook", name: "hook", url: webhook.url, format: "json", secret: "shared" },
  ];
  const parts: NotificationsParts = {
    store,
    ledger,
    exchange: exchangeOverHttp,
    sendMail: sendMailOverSmtp,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    policy: () => policy,
    repeatStrikes: () => 3,
    channels,
    isOnline: (agentNo) => online.has(agentNo),
    replica: "one",
    programVersion: "test",
    startedMs: systemClock.monotonicMs() - 3_600_000,
    observe: () => undefined,
  };
  const notify = (given = parts) => notifyOnce(given, new AbortController().signal);
  await notify();
  return {
    ...{ smtp, webhook, database, store, ledger, parts, online, notify },
    async agent(name) {
      const hello = store.sql.json({ seen_at_ms: ledger.ledgerTimeMs() });
      const [row] = await store.sql<{ agent_no: number }[]>`
        insert into agents (agent_id, name, last_hello) values (gen_random_uuid(), ${name}, ${hello}) returning agent_no`;
      online.add(row?.agent_no ?? 0);
      return row?.agent_no ?? 0;
    },
    async sight(agentNo, address, given = {}) {
      const seq = (seqs.get(agentNo) ?? 0) + 1;
      seqs.set(agentNo, seq);
      const sightings = [sightingOf(ledger, address, given)];
      await ledger.commitSightings(batchOf(ledger, agentNo, seq, sightings, `spool ${agentNo}`));
    },
    setPolicy(changed) {
      policy = { ...policy, ...changed };
    },
    route(topic, route) {
      policy = { ...policy, routes: { ...policy.routes, [topic]: { ...policy.routes[topic], ...route } } };
    },
    async pass(seconds) {
      const by = store.sql`make_interval(secs => ${seconds})`;
      await store.sql`update news set found_at = found_at - ${by}`;
      await store.sql`
        update notifications set planned_at = planned_at - ${by}, next_at = next_at - ${by},
          leased_until = leased_until - ${by}`;
      await store.sql`update agents set last_hello = jsonb_set(last_hello, '{seen_at_ms}',
        to_jsonb((last_hello->>'seen_at_ms')::float8 - ${seconds * 1_000}::float8)) where last_hello is not null`;
    },
    messages: () => webhook.taken.map(({ body }) => JSON.parse(body) as Message & { id: string }),
  };
}
