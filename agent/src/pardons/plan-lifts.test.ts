import assert from "node:assert/strict";
import { test } from "node:test";
import { Blocklist } from "@fleetban/proto/model/blocklist";
import { parseDigestKey } from "@fleetban/proto/model/digest";
import { ALLOWED, HOLE, LIST_EXEMPT, PARDONED, PARDONED_LOCAL, type Rank } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { planLifts } from "./plan-lifts.ts";

const at = (seconds: number) => seconds as UnixSeconds;
const ban = (address: string, bannedAt: number) => ({
  address: parsePrefix(address),
  jail: "sshd",
  bannedAt: at(bannedAt),
});

function exempt(prefix: string, rank: Rank, begun: number, until = 0): Blocklist {
  const blocklist = new Blocklist(LIST_EXEMPT, parseDigestKey(new Uint8Array(16)));
  blocklist.put({ prefix: parsePrefix(prefix), rank, begun: at(begun), until: at(until) });
  return blocklist;
}

test("a pardon lifts bans that began before it and leaves later ones", () => {
  const bans = [ban("45.83.64.9", 1_000), ban("45.83.64.9", 2_001), ban("45.83.64.10", 1_000)];
  assert.deepEqual(planLifts(bans.slice(0, 1), [exempt("45.83.64.9", PARDONED, 1_500)], at(2_000)), ["45.83.64.9"]);
  assert.deepEqual(planLifts(bans.slice(1), [exempt("45.83.64.9", PARDONED, 1_500)], at(2_100)), []);
});

test("a pardon made local, and the allowlist, lift later bans too", () => {
  const later = [ban("45.83.64.9", 5_000)];
  assert.deepEqual(planLifts(later, [exempt("45.83.64.9", PARDONED_LOCAL, 1_500)], at(5_001)), ["45.83.64.9"]);
  assert.deepEqual(planLifts(later, [exempt("45.83.64.0/24", ALLOWED, 0)], at(5_001)), ["45.83.64.9"]);
});

test("an IPv6 pardon of the /64 lifts the address in it", () => {
  const bans = [ban("2a0e:8f02:1:2::7", 1_000), ban("2a0e:8f02:1:3::7", 1_000)];
  assert.deepEqual(planLifts(bans, [exempt("2a0e:8f02:1:2::/64", PARDONED, 1_500)], at(1_600)), ["2a0e:8f02:1:2::7"]);
});

test("what has ended, and a hole in a wider listing, lift nothing", () => {
  const bans = [ban("45.83.64.9", 1_000)];
  assert.deepEqual(planLifts(bans, [exempt("45.83.64.9", PARDONED, 1_500, 1_800)], at(1_900)), []);
  assert.deepEqual(planLifts(bans, [exempt("45.83.64.9", HOLE, 0)], at(1_900)), []);
});
