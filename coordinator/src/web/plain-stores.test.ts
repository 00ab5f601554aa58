import assert from "node:assert/strict";
import { test } from "node:test";
import { plainStores } from "./plain-stores.ts";

const NOWHERE = { database_url: undefined, redis_url: undefined, plain_stores_expected: false };

for (const [url, host] of [
  ["postgres://fleetban:p%40ss@db.example.net/fleetban", "db.example.net"],
  ["postgresql://fleetban@10.0.0.5:5433/fleetban?sslmode=disable", "10.0.0.5"],
  ["postgres://fleetban@db/fleetban?sslmode=prefer", "db"],
  ["postgres://fleetban@127.0.0.1:5432,db2:5432/fleetban", "db2"],
  ["postgres://fleetban@[2001:db8::5]:5432/fleetban", "2001:db8::5"],
  ["postgres://fleetban@db/fleetban?sslmode=require", undefined],
  ["postgres://fleetban@db/fleetban?sslmode=verify-full", undefined],
  ["postgres://fleetban@db/fleetban?ssl=true", undefined],
  ["postgres://fleetban@db/fleetban?sslrootcert=system", undefined],
  ["postgres://fleetban@127.0.0.1/fleetban", undefined],
  ["postgres://fleetban@localhost:5433/fleetban", undefined],
  ["postgres://fleetban@[::1]/fleetban", undefined],
  ["postgres://fleetban@%2Fvar%2Frun%2Fpostgresql/fleetban", undefined],
  ["postgres:///fleetban", undefined],
] as const) {
  test(`${url}: ${host === undefined ? "nothing to warn of" : `warns of ${host}`}`, () => {
    const expected = host === undefined ? [] : [{ code: "database-plaintext", subject: host }];
    assert.deepEqual(plainStores({ ...NOWHERE, database_url: url }), expected);
  });
}

for (const [url, host] of [
  ["redis://:secret@redis.example.net:6379/1", "redis.example.net"],
  ["redis://10.0.0.6", "10.0.0.6"],
  ["rediss://redis.example.net:6379", undefined],
  ["redis://127.0.0.1:6379", undefined],
  ["redis://localhost", undefined],
  ["/run/redis/redis.sock", undefined],
] as const) {
  test(`${url}: ${host === undefined ? "nothing to warn of" : `warns of ${host}`}`, () => {
    const expected = host === undefined ? [] : [{ code: "redis-plaintext", subject: host }];
    assert.deepEqual(plainStores({ ...NOWHERE, redis_url: url }), expected);
  });
}

test("without a database of its own, and on a network that is the coordinator's alone, nothing is said", () => {
  assert.deepEqual(plainStores(NOWHERE), []);
  const urls = { database_url: "postgres://db/fleetban", redis_url: "redis://redis", plain_stores_expected: true };
  assert.deepEqual(plainStores(urls), []);
});
