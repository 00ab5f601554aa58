import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { migrate } from "./migrate.ts";
import { isPassing } from "./store-error.ts";
import { createTestDatabase } from "./test-database.ts";

const migrations = readdirSync(new URL("./migrations/", import.meta.url)).sort();

test("twenty starters at once migrate once, and all find the schema", async (t) => {
  const { store } = await createTestDatabase(t);
  await store.sql.unsafe("drop schema public cascade; create schema public");
  const lanes = Array.from({ length: 20 }, () => store.openLane());
  await Promise.all(lanes.map((lane) => migrate(lane, silentLog)));
  await Promise.all(lanes.map((lane) => lane.close()));
  const rows = await store.sql<{ name: string }[]>`select name from migrations order by number`;
  assert.deepEqual(
    rows.map(({ name }) => name),
    migrations,
  );
});

test("a schema newer than the program is refused with both numbers", async (t) => {
  const { store } = await createTestDatabase(t);
  await store.sql`insert into migrations (number, name) values (9000, '9000_later.sql')`;
  const lane = store.openLane();
  await assert.rejects(
    migrate(lane, silentLog),
    new RegExp(`schema 9000, .* up to ${Number(migrations.at(-1)!.slice(0, 4))}`),
  );
  await lane.close();
});

test("what comes back from the database is a number, a text, a Date", async (t) => {
  const { store } = await createTestDatabase(t);
  const [row] = await store.sql`
    select 9007199254740991::bigint as whole, '2001:db8::/32'::cidr as prefix, (2::numeric ^ 127)::numeric(39) as sum,
      array[1, 2]::bigint[] as many, to_timestamp(1.5) as at`;
  assert.deepEqual(
    { ...row },
    {
      whole: 9007199254740991,
      prefix: "2001:db8::/32",
      sum: "170141183460469231731687303715884105728",
      many: [1, 2],
      at: new Date(1500),
    },
  );
});

test("an array goes in and comes out as it was", async (t) => {
  const { store } = await createTestDatabase(t);
  const words = ['"', "\\", "a,b", "{}", "NULL", "", " ", "ä\n"];
  const bytes = [Buffer.from([0, 255]), Buffer.alloc(0)];
  const [row] = await store.sql`
    select ${words}::text[] as words, ${[1, -2]}::bigint[] as numbers, ${store.sql.array(bytes, 1001)}::bytea[] as bytes,
      ${["192.0.2.0/24", "2001:db8::1/128"]}::cidr[] as prefixes, '{}'::int[] as none, ${[null, "x"]}::text[] as gaps`;
  assert.deepEqual(
    { ...row },
    {
      words,
      numbers: [1, -2],
      bytes,
      prefixes: ["192.0.2.0/24", "2001:db8::1/128"],
      none: [],
      gaps: [undefined, "x"],
    },
  );
});

test("a transaction whose connection dies changes nothing, and the next one on the lane works", async (t) => {
  const { store } = await createTestDatabase(t);
  await store.sql`create table told (word text)`;
  for (const when of ["before a statement", "while statements wait"]) {
    const failed = store.transaction(async (sql) => {
      const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
      await sql`insert into told values ('first')`;
      const killed = store.sql`select pg_terminate_backend(${row!.pid})`;
      if (when === "before a statement") {
        await killed;
        await systemClock.sleep(50); // so that the closed socket is seen: that is the case under test
      }
      await Promise.all([
        sql`insert into told values ('second')`,
        sql`select pg_sleep(0.2)`,
        sql`insert into told select ${"third"} where ${1} = 1`,
        sql`insert into told select ${"fourth"} where ${2} = 2`,
        killed,
      ]);
    });
    await assert.rejects(failed, isPassing);
    await store.transaction((sql) => sql`insert into told values (${when})`);
  }
  const rows = await store.sql<{ word: string }[]>`select word from told`;
  assert.deepEqual(
    rows.map(({ word }) => word),
    ["before a statement", "while statements wait"],
  );
});

test("a commit that is sent with the last statements is theirs: it commits all of them or nothing", async (t) => {
  const { store } = await createTestDatabase(t);
  await store.sql`create table told (word text primary key)`;
  const lane = store.openLane();
  const tell = (...words: readonly string[]) =>
    lane.transaction(async (sql, commitNow) => {
      const told = Promise.all(words.map((word) => sql`insert into told values (${word})`));
      commitNow();
      await told;
    });
  await tell("first", "second");
  await assert.rejects(tell("third", "first"), { code: "23505" });
  const late = lane.transaction(async (sql, commitNow) => {
    commitNow();
    await sql`insert into told values ('late')`;
  });
  await assert.rejects(late, /after the last one/);
  await tell("fourth");
  await lane.close();
  const rows = await store.sql<{ word: string }[]>`select word from told order by word`;
  assert.deepEqual(
    rows.map(({ word }) => word),
    ["first", "fourth", "second"],
  );
});

test("a connection that dies under a commit that was sent early leaves its outcome unknown", async (t) => {
  const { store } = await createTestDatabase(t);
  await store.sql`create table told (word text)`;
  const lane = store.openLane();
  const failed = lane.transaction(async (sql, commitNow) => {
    const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
    const slow = Promise.all([sql`select pg_sleep(60)`]);
    slow.catch(() => undefined); // it may fail before it is waited for
    commitNow();
    await store.sql`select pg_terminate_backend(${row!.pid})`;
    await slow;
  });
  await assert.rejects(failed, { code: "commit-unknown" });
  await lane.close();
});

test("statements and transactions work again after kill -9 of Postgres", async (t) => {
  const { store, killServer } = await createTestDatabase(t);
  await store.sql`create table told (word text)`;
  await store.sql`insert into told values ('kept')`;
  await killServer();
  await eventually(() => store.transaction((sql) => sql`insert into told values ('after')`));
  const rows = await eventually(async () => store.sql<{ word: string }[]>`select word from told order by word desc`);
  assert.deepEqual(
    rows.map(({ word }) => word),
    ["kept", "after"],
  );
});

test("notifications are heard, and heard again after the listener's connection was cut", async (t) => {
  const { store } = await createTestDatabase(t);
  const heard: (string | undefined)[] = [];
  const stop = new AbortController();
  const until = async (claim: () => boolean) => {
    for (const deadlineMs = systemClock.monotonicMs() + 30_000; !claim(); await systemClock.sleep(5)) {
      assert.ok(systemClock.monotonicMs() < deadlineMs, `heard only ${JSON.stringify(heard)}`);
    }
  };
  const listening = store.listen("fleetban_test", (payload) => heard.push(payload), stop.signal);
  await until(() => heard.length === 1);
  await store.sql`select pg_notify('fleetban_test', 'one')`;
  await until(() => heard.includes("one"));
  await store.sql`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %' and datname = current_database()`;
  await until(() => heard.filter((payload) => payload === undefined).length >= 2);
  await store.sql`select pg_notify('fleetban_test', 'two')`;
  await until(() => heard.includes("two"));
  stop.abort(new Error("stopped"));
  await assert.rejects(listening, /stopped/);
});

/** Retries what fails because Postgres is away. */
async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + 30_000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      assert.ok(isPassing(error), String(error));
      assert.ok(systemClock.monotonicMs() < deadlineMs, "Postgres did not come back");
      await systemClock.sleep(20);
    }
  }
}
