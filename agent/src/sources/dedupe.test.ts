import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { Sighting } from "@fleetban/proto/model/sighting";
import { KnownBans } from "./dedupe.ts";
import type { SeenBan, SeenEnd } from "./seen.ts";

const T = 1_795_000_000_000;

function ban(changes: Partial<SeenBan> = {}): SeenBan {
  const seen: SeenBan = {
    ...{ kind: "ban", source: "fail2ban", address: parsePrefix("203.0.113.9"), jail: "sshd", bannedAtMs: T },
    ...{ banSeconds: 600, failures: 3, banCount: 1, atMs: T },
  };
  return { ...seen, ...changes };
}

function end(changes: Partial<SeenEnd> = {}): SeenEnd {
  const { source, address, jail, bannedAtMs, banSeconds } = ban();
  return {
    kind: "end",
    source,
    address,
    jail,
    bannedAtMs,
    banSeconds,
    atMs: T + 60_000,
    cause: "time-or-hand",
    ...changes,
  };
}

/** Judges one after the other, each at its own moment; gives what was told. */
function told(...seen: readonly (SeenBan | SeenEnd)[]): readonly string[] {
  return tellTo(new KnownBans([], 0), seen).map(({ kind, source, banSeconds }) => `${kind} ${source} ${banSeconds}`);
}

function tellTo(known: KnownBans, seen: readonly (SeenBan | SeenEnd)[]): readonly Sighting[] {
  return seen.map((one) => known.judge(one, one.atMs).told).filter((sighting) => sighting !== undefined);
}

const log = (changes: Partial<SeenBan> = {}) =>
  ban({ source: "log", bannedAtMs: T + 400, atMs: T + 400, failures: 0, ...changes });

test("a ban told by action, log and action again is one sighting", () => {
  assert.deepEqual(told(ban(), log(), ban()), ["ban fail2ban 600"]);
  assert.deepEqual(told(log(), ban(), log()), ["ban log 600"]);
});

test("the log's time lies behind the action's by as long as fail2ban took", () => {
  assert.deepEqual(told(ban(), log({ bannedAtMs: T + 240_000 })), ["ban fail2ban 600"]);
  assert.deepEqual(told(log({ bannedAtMs: T + 240_000 }), ban()), ["ban log 600"]);
  assert.deepEqual(told(ban(), log({ bannedAtMs: T - 30_000 })), ["ban fail2ban 600", "ban log 600"]);
});

test("another jail, another address and a ban after its end are others", () => {
  const other = ban({ jail: "nginx" });
  const neighbor = ban({ address: parsePrefix("203.0.113.10") });
  const later = ban({ bannedAtMs: T + 700_000, atMs: T + 700_000 });
  assert.equal(told(ban(), other, neighbor, later).length, 4);
});

test("a second ban in the log is not taken for the first one's echo", () => {
  const later = { bannedAtMs: T + 700_000, atMs: T + 700_000 };
  assert.deepEqual(told(ban(), log(), ban(later), log({ bannedAtMs: T + 700_400 })), [
    "ban fail2ban 600",
    "ban fail2ban 600",
  ]);
  assert.deepEqual(told(ban(), log(), log({ bannedAtMs: T + 700_400 })), ["ban fail2ban 600", "ban log 600"]);
});

test("the same bans again after a kill -9 of fail2ban are known", () => {
  assert.deepEqual(told(ban(), ban({ atMs: T + 20_000 }), ban({ bannedAtMs: T - 900 })), ["ban fail2ban 600"]);
});

test("a restored ban is no news when it was told, whatever its rounded time; else it comes as restored", () => {
  const restored = ban({ kind: "restored", bannedAtMs: T + 450, atMs: T + 90_000 });
  assert.deepEqual(told(ban(), restored), ["ban fail2ban 600"]);
  assert.deepEqual(told(restored, log({ kind: "restored", bannedAtMs: T + 90_000 })), ["restored fail2ban 600"]);
});

test("a prolonged ban is told once, under the act of its ban", () => {
  const prolong = ban({ kind: "prolong", banSeconds: 1_200, atMs: T + 10_000 });
  const { banSeconds: _, ...inLog } = log({
    kind: "prolong",
    bannedAtMs: undefined,
    untilMs: T + 1_200_000,
    atMs: T + 10_001,
  });
  assert.deepEqual(told(ban(), prolong, { ...inLog, banSeconds: 0 }), ["ban fail2ban 600", "prolong fail2ban 1200"]);
  assert.deepEqual(told(ban(), { ...inLog, banSeconds: 0 }, prolong), ["ban fail2ban 600", "prolong log 1200"]);
  const acts = tellTo(new KnownBans([], 0), [ban(), prolong]).map(({ act }) => act);
  assert.equal(acts[0], acts[1]);
});

test("an unban before the ban's end is a person's, at its end it is not", () => {
  assert.deepEqual(told(ban(), end()), ["ban fail2ban 600", "unban-by-hand fail2ban 600"]);
  assert.deepEqual(told(ban(), end({ atMs: T + 600_200 })), ["ban fail2ban 600"]);
  assert.deepEqual(told(ban(), end({ atMs: T + 599_000 })), ["ban fail2ban 600"], "times are rounded");
});

test("a prolonged ban that ends after its first length is not over by its time", () => {
  const prolong = ban({ kind: "prolong", banSeconds: 1_200 });
  assert.equal(told(ban(), prolong, end({ atMs: T + 700_000 })).at(-1), "unban-by-hand fail2ban 1200");
  assert.equal(told(ban(), prolong, end({ atMs: T + 1_200_500 })).length, 2);
});

test("a ban for ever ends by hand only", () => {
  assert.equal(told(ban({ banSeconds: -1 }), end({ banSeconds: -1, atMs: T + 10 ** 12 })).length, 2);
});

test("stops, this agent's own unbans and bans gone for no known reason pardon nobody", () => {
  for (const cause of ["stopped", "asked", "gone"] as const)
    assert.deepEqual(told(ban(), end({ cause })), ["ban fail2ban 600"]);
});

test("two sources that tell of one end are one act", () => {
  const inLog = end({ source: "log", bannedAtMs: undefined, banSeconds: 0, atMs: T + 60_010 });
  assert.deepEqual(told(ban(), end(), inLog), ["ban fail2ban 600", "unban-by-hand fail2ban 600"]);
  assert.deepEqual(told(ban(), inLog, end()), ["ban fail2ban 600", "unban-by-hand log 600"]);
});

test("an end that is told late does not end the ban that began after it", () => {
  const inLog = end({ source: "log", bannedAtMs: undefined, banSeconds: 0, atMs: T + 60_010 });
  const anew = ban({ bannedAtMs: T + 61_000, atMs: T + 61_000 });
  const known = new KnownBans([], 0);
  assert.deepEqual(
    tellTo(known, [ban(), end(), anew, inLog]).map(({ kind }) => kind),
    ["ban", "unban-by-hand", "ban"],
  );
  assert.ok(known.isActive(anew.address, "sshd", T + 62_000));
});

test("after an unban by hand a new ban is a new sighting, the same one told again is not", () => {
  const anew = ban({ bannedAtMs: T + 61_000, atMs: T + 61_000 });
  assert.deepEqual(told(ban(), end(), ban(), anew), [
    "ban fail2ban 600",
    "unban-by-hand fail2ban 600",
    "ban fail2ban 600",
  ]);
});

test("the machine's own kernel hears of every ban, until the last jail's end, and of the end in the last jail", () => {
  const known = new KnownBans([], 0);
  const local = (seen: SeenBan | SeenEnd) => known.judge(seen, seen.atMs).local;
  assert.deepEqual(local(ban()), {
    ...{ kind: "banned", how: "ban", address: "203.0.113.9", jail: "sshd", bannedAtMs: T, secondsLeft: 600 },
  });
  assert.equal((local(ban({ jail: "nginx", banSeconds: 60 })) as { secondsLeft: number }).secondsLeft, 600);
  const atMs = T + 30_000;
  assert.equal(local(end({ atMs })), undefined, "nginx bans it still");
  assert.equal(local(end({ jail: "nginx", cause: "stopped", atMs })), undefined);
  assert.deepEqual(local(end({ jail: "nginx", banSeconds: 60, atMs })), { kind: "ended", address: "203.0.113.9" });
  assert.equal((local(ban({ banSeconds: -1, bannedAtMs: T + 90_000 })) as { secondsLeft: number }).secondsLeft, -1);
});

test("a ban that is told when it is over already does not reach the kernel", () => {
  const { told: sighting, local } = new KnownBans([], 0).judge(ban(), T + 3_600_000);
  assert.deepEqual([sighting?.kind, local], ["ban", undefined]);
});

test("what could not be made durable is news again", () => {
  const known = new KnownBans([], 0);
  known.judge(ban(), T).undo();
  assert.equal(known.judge(ban(), T).told?.kind, "ban");
  known.judge(end(), T + 60_000).undo();
  assert.equal(known.judge(end(), T + 60_000).told?.kind, "unban-by-hand");
});

test("a memory seeded from the spool tells nothing twice", () => {
  const prolong = ban({ kind: "prolong", banSeconds: 1_200 });
  const other = ban({ address: parsePrefix("203.0.113.10") });
  const seen = [ban(), log(), prolong, other, end({ address: other.address })];
  const sightings = tellTo(new KnownBans([], 0), seen);
  assert.equal(sightings.length, 4);
  assert.deepEqual(tellTo(new KnownBans(sightings, 0), seen), []);
});

test("memory is bounded, and says from when on it may have forgotten", () => {
  const known = new KnownBans([], 0);
  for (let number = 0; number < 20_000; number += 1) {
    const address = parsePrefix(`198.${18 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`);
    known.judge(ban({ address, bannedAtMs: T + number, atMs: T + number }), T + number);
  }
  assert.equal([...known.active(T + 20_000)].length, 16_384);
  assert.equal(known.forgottenBeforeMs, T + 20_000 - 16_384 - 1);
});
