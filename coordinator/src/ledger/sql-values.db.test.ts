import assert from "node:assert/strict";
import { test } from "node:test";
import { type Prefix, parsePrefix, prefixFromBytes, widen } from "@fleetban/proto/model/prefix";
import fc from "fast-check";
import { createTestDatabase } from "../store/test-database.ts";
import { prefixFromSql } from "./sql-values.ts";

test("every prefix comes back from the database as it went in", async (t) => {
  const { store } = await createTestDatabase(t);
  const byte = fc.oneof(fc.constant(0), fc.nat(255)); // zeros, for the places where IPv6 is shortened
  const address = fc.oneof(
    fc.array(byte, { minLength: 4, maxLength: 4 }),
    fc.array(byte, { minLength: 16, maxLength: 16 }),
  );
  const prefix = fc.tuple(address, fc.nat(128)).map(([bytes, length]): Prefix => {
    const single = prefixFromBytes(Uint8Array.from(bytes));
    return widen(single, Math.min(length, single.includes(":") ? 128 : 32));
  });
  const known = ["::", "::1", "::102:304", "0.0.0.0/0", "::/0", "2001:db8::/32"].map(parsePrefix);
  await fc.assert(
    fc.asyncProperty(fc.array(prefix, { minLength: 1, maxLength: 200 }), async (drawn) => {
      const prefixes = [...known, ...drawn];
      const rows = await store.sql<{ prefix: string }[]>`select unnest(${prefixes}::cidr[])::text as prefix`;
      assert.deepEqual(
        rows.map((row) => prefixFromSql(row.prefix)),
        prefixes,
      );
    }),
    { numRuns: 50 },
  );
});
