import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Blocklist } from "../model/blocklist.ts";
import { collapse } from "../model/changes.ts";
import {
  anyPrefix,
  keyFixture,
  listFixture,
  listingFixture,
  listingOver,
  listingsOver,
  poolPrefix,
} from "../model/listing.fixture.ts";
import type { Epoch, Listing, Revision } from "../model/listing.ts";
import { comparePrefixes, parsePrefix } from "../model/prefix.ts";
import { type Delta, deltaFromMessage, encodeDelta } from "./delta.ts";
import { CoordinatorMessage } from "./gen/fleetban/v1/fleet.ts";
import { WireError } from "./wire-error.ts";

const epoch = "0123456789abcdef0123456789abcdef" as Epoch;

function deltaBetween(before: Blocklist, after: Blocklist, change: Partial<Delta> = {}): Delta {
  return {
    list: listFixture,
    epoch,
    fromRevision: 7 as Revision,
    toRevision: 9 as Revision,
    digest: after.digest,
    listings: after.size,
    committedAtMs: 1_790_000_000_123,
    approved: false,
    reportWithinMs: 0,
    remove: [...before.sorted()].map(({ prefix }) => prefix).filter((prefix) => !after.has(prefix)),
    put: [...after.sorted()].filter((listing) => !isSame(before.get(listing.prefix), listing)),
    ...change,
  };
}

const step = fc.oneof(
  listingOver(poolPrefix).map((listing) => ({ prefix: listing.prefix, after: listing })),
  poolPrefix.map((prefix) => ({ prefix, after: undefined })),
);

test("a delta comes back from its bytes", () => {
  fc.assert(
    fc.property(listingsOver(anyPrefix), fc.uniqueArray(anyPrefix), fc.boolean(), (put, remove, approved) => {
      const after = filled(put);
      const delta = deltaBetween(filled([]), after, {
        approved,
        remove: remove.toSorted(comparePrefixes),
        ...(approved ? { columnsSha256: Buffer.alloc(32, 7) } : {}),
      });
      assert.deepEqual(decoded(encodeDelta(delta)), delta);
    }),
  );
});

test("any sequence of deltas leads to the same list as all at once, digest included", () => {
  fc.assert(
    fc.property(listingsOver(poolPrefix), fc.array(fc.array(step)), (base, rounds) => {
      const ledger = filled(base);
      const stepwise = ledger.clone();
      const atOnce = ledger.clone();
      for (const changes of rounds) {
        const before = ledger.clone();
        for (const { prefix, after } of changes) {
          if (after === undefined) ledger.remove(prefix);
          else ledger.put(after);
        }
        apply(stepwise, decoded(encodeDelta(deltaBetween(before, ledger))));
        assert.equal(stepwise.digest, ledger.digest);
      }
      const collapsed = collapse(rounds.flat());
      const put = collapsed.flatMap(({ after }) => after ?? []);
      const remove = collapsed.filter(({ after }) => after === undefined).map(({ prefix }) => prefix);
      apply(atOnce, decoded(encodeDelta(deltaBetween(ledger, ledger, { put, remove }))));
      assert.deepEqual([...atOnce.sorted()], [...ledger.sorted()]);
      assert.deepEqual([...stepwise.sorted()], [...ledger.sorted()]);
      assert.equal(atOnce.digest, ledger.digest);
    }),
  );
});

test("no damaged byte and no cut passes unseen: an error, or a digest that differs, or the same list", () => {
  const before = filled(["192.0.2.1", "192.0.2.2", "2001:db8::/64"].map((text) => listingFixture(parsePrefix(text))));
  const after = before.clone();
  after.remove(parsePrefix("192.0.2.1"));
  for (const text of ["198.51.100.0/24", "198.51.100.7", "203.0.113.9", "2001:db8:1::/48"])
    after.put(listingFixture(parsePrefix(text)));
  const bytes = encodeDelta(deltaBetween(before, after));
  const wanted = [...after.sorted()];
  let caught = 0;
  for (const damaged of damagesOf(bytes)) {
    const outcome = applied(before, damaged);
    if (outcome === "refused") caught += 1;
    else assert.deepEqual([...outcome.sorted()], wanted);
  }
  assert.ok(caught > bytes.length * 4, `only ${caught} damages were caught`);
});

test("random bytes are no delta", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(applied(filled([]), Buffer.from(bytes)), "refused");
    }),
    { numRuns: 1_000 },
  );
});

test("a delta of unknown encoding, without list, or that goes back is refused", () => {
  const empty = filled([]);
  const broken: readonly [Partial<Delta>, RegExp][] = [
    [{ list: 0 as never }, /names no list/],
    [{ toRevision: 7 as Revision }, /back to 7/],
    [{ epoch: "00" as Epoch }, /epoch: 1 bytes where 16/],
    [{ columnsSha256: Buffer.alloc(31) }, /31 bytes where 32/],
  ];
  for (const [change, fault] of broken) {
    assert.throws(
      () => decoded(encodeDelta(deltaBetween(empty, empty, change))),
      (error) => {
        assert.ok(error instanceof WireError);
        assert.match(error.message, fault);
        return true;
      },
    );
  }
  const message = messageOf(encodeDelta(deltaBetween(empty, empty)));
  assert.throws(() => deltaFromMessage({ ...message, encoding: 2 }), /unknown encoding 2/);
});

function messageOf(bytes: Uint8Array) {
  const { kind } = CoordinatorMessage.decode(bytes);
  if (kind?.$case !== "delta") throw new WireError("test", "no delta");
  return kind.value;
}

function decoded(bytes: Uint8Array): Delta {
  return deltaFromMessage(messageOf(bytes));
}

function apply(blocklist: Blocklist, { remove, put }: Pick<Delta, "remove" | "put">): void {
  for (const prefix of remove) blocklist.remove(prefix);
  for (const listing of put) blocklist.put(listing);
}

/** As an agent does it: the list after the delta, if digest and count are what the delta says. */
function applied(before: Blocklist, bytes: Uint8Array): Blocklist | "refused" {
  let delta: Delta;
  try {
    delta = decoded(bytes);
  } catch (error) {
    assert.ok(error instanceof Error);
    return "refused";
  }
  const after = before.clone();
  apply(after, delta);
  return after.digest === delta.digest && after.size === delta.listings ? after : "refused";
}

function* damagesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1) {
    yield bytes.subarray(0, at);
    for (let bit = 0; bit < 8; bit += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
      yield damaged;
    }
  }
}

function filled(listings: readonly Listing[]): Blocklist {
  const blocklist = new Blocklist(listFixture, keyFixture);
  for (const listing of listings) blocklist.put(listing);
  return blocklist;
}

function isSame(one: Listing | undefined, other: Listing): boolean {
  return one !== undefined && one.until === other.until && one.rank === other.rank && one.begun === other.begun;
}
