import assert from "node:assert/strict";
import { test } from "node:test";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { unixSeconds } from "@fleetban/proto/model/time";
import fc from "fast-check";
import {
  type FeedWish,
  type PresentListing,
  planListings,
  V6_NETWORK,
  type WantedListing,
  wantedListings,
} from "./plan-listings.ts";
import { createPrefixCover } from "./prefix-cover.ts";

const HOUR = 3600;
const STALE = 72 * HOUR;
const T0 = 1_795_000_000;
const nobody = coverOf([]);

test("a listing is extended only when less than half of its time was left at the fetch", () => {
  const address = parsePrefix("5.1.2.3");
  let present: Map<Prefix, PresentListing> = new Map();
  const untils = [0, 24, 48, 72, 96].map((hours) => {
    present = applied(present, wantedOf([wish(address, { fetchedAt: T0 + hours * HOUR })]));
    return (present.get(address)!.until - T0) / HOUR;
  });
  assert.deepEqual(untils, [72, 72, 120, 120, 168]);
});

test("what the feed no longer names goes, what is stale is no longer wanted", () => {
  const [kept, gone] = [parsePrefix("5.1.2.3"), parsePrefix("5.1.2.4")];
  const present = applied(new Map(), wantedOf([wish(kept), wish(gone)]));
  const changes = planListings(wantedOf([wish(kept)]), present);
  assert.deepEqual(changes, [{ prefix: gone, to: undefined }]);
  assert.equal(wantedListings([wish(kept)], nobody, unixSeconds(T0 + STALE)).size, 0);
});

test("of two feeds that name one prefix the better rank and the later end count", () => {
  const address = parsePrefix("5.1.2.3");
  const later = wish(address, { feed: "2", confidence: 100, fetchedAt: T0 + HOUR });
  const [both] = [...wantedOf([wish(address, { confidence: 25 }), later]).values()];
  assert.deepEqual([both?.rank, both?.until, both?.feeds], [3, T0 + HOUR + STALE, ["1", "2"]]);
});

test("nothing that is allowed, pardoned or protected is wanted", () => {
  const exempt = coverOf(["5.1.2.0/24", "5.9.9.9"]);
  const wishes = ["5.1.2.3", "5.9.9.9", "5.9.9.8"].map((text) => wish(parsePrefix(text)));
  assert.deepEqual([...wantedListings(wishes, exempt, unixSeconds(T0)).keys()], ["5.9.9.8"]);
});

test("an IPv6 address stands for its /64, but alone where the /64 holds anything exempt", () => {
  const wishes = ["2a01:1:1:1::5", "2a01:1:1:1::6", "2a01:1:1:2::5"].map((text) => wish(parsePrefix(text)));
  const exempt = coverOf(["2a01:1:1:2::99"]);
  const wanted = [...wantedListings(wishes, exempt, unixSeconds(T0)).keys()];
  assert.deepEqual(wanted, ["2a01:1:1:1::/64", "2a01:1:1:2::5"]);
});

test("a plan carried out, whole or in any part, and made again, ends at what is wanted", () => {
  const wishes = fc.array(
    fc.record({ host: fc.nat(40), confidence: fc.integer({ min: 25, max: 100 }), hours: fc.nat(71) }),
  );
  fc.assert(
    fc.property(wishes, wishes, fc.func(fc.boolean()), (before, after, isDone) => {
      const present = applied(new Map(), wantedOf(before.map(wishFrom)));
      const wanted = wantedOf(after.map(wishFrom));
      const interrupted = applied(present, wanted, ({ prefix }) => isDone(prefix));
      const whole = applied(present, wanted);
      const resumed = applied(interrupted, wanted);
      assert.deepEqual(new Map([...resumed].sort()), new Map([...whole].sort()));
      assert.deepEqual(planListings(wanted, resumed), []);
    }),
  );
});

test("the order of feeds and of what they name does not matter", () => {
  const any = fc.record({ host: fc.nat(20), confidence: fc.integer({ min: 1, max: 100 }), hours: fc.nat(71) });
  const named = fc.tuple(any, fc.constantFrom("1", "2", "3")).map(([wish, feed]) => ({ ...wishFrom(wish), feed }));
  const shuffled = fc.array(named, { maxLength: 30 }).chain((wishes) => {
    return fc.tuple(fc.constant(wishes), fc.shuffledSubarray(wishes, { minLength: wishes.length }));
  });
  fc.assert(
    fc.property(shuffled, ([wishes, other]) => {
      const sorted = (all: typeof wishes) => [...wantedOf(all)].sort(([a], [b]) => (a < b ? -1 : 1));
      assert.deepEqual(sorted(wishes), sorted(other));
    }),
  );
});

function wishFrom({ host, confidence, hours }: { host: number; confidence: number; hours: number }): FeedWish {
  return wish(parsePrefix(`5.1.2.${host}`), { confidence, fetchedAt: T0 + hours * HOUR });
}

function wish(prefix: Prefix, facts: { feed?: string; confidence?: number; fetchedAt?: number } = {}): FeedWish {
  const { feed = "1", confidence = 100, fetchedAt = T0 } = facts;
  return { prefix, feed, confidence, fetchedAt: unixSeconds(fetchedAt), staleAfterSeconds: STALE };
}

function wantedOf(wishes: readonly FeedWish[]): Map<Prefix, WantedListing> {
  return wantedListings(wishes, nobody, unixSeconds(T0));
}

function applied(
  present: ReadonlyMap<Prefix, PresentListing>,
  wanted: ReadonlyMap<Prefix, WantedListing>,
  isDone: (change: { prefix: Prefix }) => boolean = () => true,
): Map<Prefix, PresentListing> {
  const result = new Map(present);
  for (const change of planListings(wanted, present).filter(isDone)) {
    if (change.to === undefined) result.delete(change.prefix);
    else result.set(change.prefix, change.to);
  }
  return result;
}

function coverOf(texts: readonly string[]) {
  return createPrefixCover(texts.map(parsePrefix), [V6_NETWORK]);
}
