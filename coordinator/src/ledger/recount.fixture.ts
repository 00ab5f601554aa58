/** The one invariant that every history must leave behind: rows, digests, counts and memories say the same. */
import assert from "node:assert/strict";
import { DigestSum } from "@fleetban/proto/model/digest";
import type { Rank } from "@fleetban/proto/model/listing";
import { familyOf, lengthOf } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import type { Store } from "../store/store.ts";
import { eventually } from "./eventually.fixture.ts";
import type { Ledger } from "./ledger.ts";
import { prefixFromSql, untilFromSql } from "./sql-values.ts";

export async function assertRecounted(store: Store, ledgers: readonly Ledger[]): Promise<void> {
  const [at] = await store.sql<{ revision: number }[]>`select revision from ledger`;
  const lists = await store.sql<
    { list_no: number; revision: number; digest: string; listings: number; covered: string; networks: string }[]
  >`
    select list_no, revision, digest, listings, covered_addresses::text as covered,
      covered_networks::text as networks from lists order by list_no`;
  for (const ledger of ledgers) {
    await eventually("the replica has followed", async () => {
      await ledger.catchUp((at?.revision ?? 0) as never);
      return ledger.lists().every((head, index) => head.revision === lists[index]?.revision);
    });
  }
  for (const row of lists) {
    const rows = await store.sql<{ prefix: string; until: number | null; rank: number }[]>`
      select prefix::text, extract(epoch from until)::float8 as until, rank from listings where list_no = ${row.list_no}`;
    const sum = new DigestSum(ledgers[0]!.digestKey, row.list_no as never);
    const covered = { 4: 0n, 6: 0n };
    for (const { prefix, until, rank } of rows) {
      const parsed = prefixFromSql(prefix);
      sum.addListing({ prefix: parsed, until: untilFromSql(until), rank: rank as Rank, begun: unixSeconds(0) });
      const family = familyOf(parsed);
      covered[family] += 1n << BigInt(Math.max(0, (family === 6 ? 64 : 32) - lengthOf(parsed)));
    }
    assert.equal(row.digest, sum.digest.toString(), `digest of list ${row.list_no}`);
    assert.equal(row.listings, rows.length, `count of list ${row.list_no}`);
    const counted = [covered[4].toString(), covered[6].toString()];
    assert.deepEqual([row.covered, row.networks], counted, `coverage of list ${row.list_no}`);
    for (const ledger of ledgers) {
      const head = ledger.lists().find(({ list }) => list.list === row.list_no);
      assert.deepEqual(
        [head?.digest.toString(), head?.listings],
        [row.digest, row.listings],
        `head of list ${row.list_no}`,
      );
    }
  }
}
