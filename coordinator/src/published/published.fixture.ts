/** A publisher over a test's database and ledger, on loopback, and a client that asks as firewalls do. */
import { type Agent, type IncomingHttpHeaders, request as requestHttp } from "node:http";
import type { TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { type ListNo, RANK, type Rank } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { untilAfter } from "@fleetban/proto/model/until";
import { Registry } from "prom-client";
import { listenForPublished } from "../drivers/publish-listener.ts";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import type { Ledger, Reason } from "../ledger/ledger.ts";
import type { Store } from "../store/store.ts";
import { beforeClose, createTestDatabase } from "../store/test-database.ts";
import { createPublishedMetrics } from "./published-metrics.ts";
import { createPublisher } from "./publisher.ts";
import { newToken, tokenHash } from "./token.ts";
import { insertPublishToken, type NewToken } from "./token-queries.ts";

export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Asking {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly agent?: Agent;
}

export interface TestPublisher {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly port: number;
  readonly registry: Registry;
  token(wish?: Partial<NewToken>): Promise<string>;
  get(path: string, asking?: Asking): Promise<Got>;
  /** Another replica over the same database; it knows nothing of what this one told. */
  replica(): Promise<Pick<TestPublisher, "get">>;
  /** Seconds 0 = open-ended; a rank of the list. */
  put(list: ListNo, prefixes: readonly string[], how?: Put): Promise<void>;
  remove(list: ListNo, ...prefixes: readonly string[]): Promise<void>;
  /** To the publisher only: every statement fails. */
  loseDatabase(): void;
}

export interface Put {
  readonly seconds?: number;
  readonly rank?: Rank;
  readonly reasons?: readonly Reason[];
}

const BANNED: readonly Reason[] = [{ kind: "ban", key: "1" }];

export async function startPublisher(t: TestContext): Promise<TestPublisher> {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store);
  const registry = new Registry();

  const database = { isLost: false };
  const sql = new Proxy(store.sql, {
    apply: (target, self, args) =>
      database.isLost ? Promise.reject(new Error("the database is away")) : Reflect.apply(target, self, args),
  });

  async function start(metricsIn: Registry): Promise<number> {
    const publisher = createPublisher({ store: { sql }, ledger, clock: systemClock, log: silentLog });
    const metrics = createPublishedMetrics(metricsIn, publisher.editions);
    const listener = await listenForPublished({
      ...{ host: "127.0.0.1", port: 0, certificate: undefined, answer: publisher.answer, metrics, log: silentLog },
    });
    const stop = new AbortController();
    const running = publisher.run(stop.signal).catch((error: unknown) => {
      if (error !== stop.signal.reason) throw error;
    });
    beforeClose(store, async () => {
      await listener.close();
      stop.abort(new Error("the test is over"));
      await running;
    });
    return listener.port;
  }

  const port = await start(registry);
  return {
    ...{ store, ledger, port, registry },
    get: (path, asking) => get(port, path, asking),
    loseDatabase() {
      database.isLost = true;
    },
    async replica() {
      const other = await start(new Registry());
      return { get: (path, asking) => get(other, path, asking) };
    },
    async token(wish = {}) {
      const token = newToken(systemRandom);
      const row = await insertPublishToken(store.sql, {
        ...{ hash: tokenHash(token), name: `token ${token.slice(-6)}`, lists: ["fleet", "feeds"], maxRank: 255 },
        ...{ isForOwnUse: false, ranges: [], validSeconds: 0, author: "tester", reason: "" },
        ...wish,
      });
      if (row === undefined) throw new Error("no token");
      return token;
    },
    async put(list, prefixes, { seconds = 3_600, rank = RANK.fleet, reasons = BANNED } = {}) {
      await ledger.write({ kind: "policy" }, async (_, now) =>
        prefixes.map((text) => ({
          list,
          prefix: parsePrefix(text),
          to: { until: untilAfter(now, seconds), rank, reasons },
        })),
      );
    },
    async remove(list, ...prefixes) {
      await ledger.write({ kind: "policy" }, async () =>
        prefixes.map((text) => ({ list, prefix: text as Prefix, to: undefined })),
      );
    },
  };
}

function get(port: number, path: string, asking: Asking = {}): Promise<Got> {
  const { token, headers = {}, method = "GET", agent } = asking;
  const all = { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers };
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, method, headers: all, agent: agent ?? false };
    const asked = requestHttp(options, async (response) => {
      try {
        const body = Buffer.concat(await Array.fromAsync(response as AsyncIterable<Buffer>));
        const isPacked = response.headers["content-encoding"] === "gzip";
        const text = (isPacked ? gunzipSync(body) : body).toString("utf8");
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      } catch (error) {
        reject(error as Error);
      }
    });
    asked.once("error", reject);
    asked.end();
  });
}
