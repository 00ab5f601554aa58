import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { SourcePosition } from "../../spool/source-position.ts";
import { KnownBans, type LocalAct } from "../dedupe.ts";
import { createIntake } from "../intake.ts";
import type { SeenBan } from "../seen.ts";
import { Fail2banError } from "./fail2ban-error.ts";
import type { Fail2banFacts } from "./jail-facts.ts";
import { reconcileFail2ban } from "./reconcile.ts";
import type { Fail2banServer } from "./server.ts";

const START = new Date(2026, 5, 1, 12).getTime();
/** This agent has looked before. */
const SEEN_BEFORE = new Map([["reconcile", { source: "reconcile", file: "", value: String(START - 86_400_000) }]]);

interface Ban {
  readonly jail: string;
  readonly id: string;
  readonly bannedAtMs: number;
}

interface Past {
  /** What fail2ban bans at the start. */
  readonly bans?: readonly Ban[];
  readonly positions?: ReadonlyMap<string, SourcePosition>;
  readonly forgottenBeforeMs?: number;
}

function createWorld({ bans = [], positions = SEEN_BEFORE, forgottenBeforeMs = 0 }: Past = {}) {
  const clock = createVirtualClock(START);
  const known = new KnownBans([], forgottenBeforeMs);
  const told: string[] = [];
  const local: LocalAct[] = [];
  const facts: (Fail2banFacts | undefined)[] = [];
  const noted = new Map<string, SourcePosition>();
  const spool = {
    append: async (
      entries: readonly { sighting: { kind: string; source: string; address: string; bannedAtMs: number } }[],
    ) => {
      for (const { sighting } of entries) told.push(`${sighting.kind} ${sighting.source} ${sighting.address}`);
    },
    note: (position: SourcePosition) => void noted.set(position.source, position),
  };
  const sink = createIntake({ spool, known, clock, log: silentLog, local: (act) => void local.push(act) });
  const fake = fakeServer(bans);
  const stopper = new AbortController();
  const parts = {
    server: fake.server,
    sink,
    known,
    clock,
    log: silentLog,
    onFacts: (one: Fail2banFacts | undefined) => void facts.push(one),
  };
  const ended = reconcileFail2ban(parts, { positions, everyMs: 180_000 }, stopper.signal);
  ended.catch(() => undefined); // looked at by `stop`
  return {
    ...{ clock, known, told, local, facts, noted, fake },
    tell: (ban: Ban) => sink.take([{ seen: seenBan(ban), position: undefined }]),
    async stop() {
      stopper.abort(new Error("stopped"));
      await assert.rejects(ended, /stopped/);
    },
  };
}

test("a ban that the hand-off lost is told with its own time, once it was missing in two looks", async () => {
  const lost = { jail: "sshd", id: "203.0.113.9", bannedAtMs: START - 60_000 };
  const world = createWorld({ bans: [lost, { jail: "sshd", id: "junk id", bannedAtMs: START }] });
  await world.clock.run(4_000);
  assert.deepEqual(world.told, []);
  await world.clock.run(6_000);
  assert.deepEqual(world.told, ["ban fail2ban 203.0.113.9"]);
  await world.clock.run(600_000);
  assert.equal(world.told.length, 1);
  await world.stop();
});

test("a ban that is on its way by the action is left to it", async () => {
  const fresh = { jail: "sshd", id: "203.0.113.9", bannedAtMs: START };
  const world = createWorld({ bans: [fresh] });
  await world.clock.run(1_000);
  await world.tell(fresh);
  await world.clock.run(10_000);
  assert.deepEqual(world.told, ["ban fail2ban 203.0.113.9"]);
  await world.stop();
});

test("what was banned before the first start is imported, and remembered to be", async () => {
  const old = { jail: "sshd", id: "203.0.113.9", bannedAtMs: START - 100_000 };
  const world = createWorld({ bans: [old], positions: new Map() });
  await world.clock.run(0);
  assert.deepEqual(world.told, ["ban import 203.0.113.9"]);
  assert.equal(world.noted.get("reconcile")?.value ?? String(START), String(START));
  await world.stop();
});

test("what may have been told and forgotten is no new strike", async () => {
  const old = { jail: "sshd", id: "203.0.113.9", bannedAtMs: START - 100_000 };
  const world = createWorld({ bans: [old], forgottenBeforeMs: START - 1_000 });
  await world.clock.run(10_000);
  assert.deepEqual(world.told, ["restored fail2ban 203.0.113.9"]);
  await world.stop();
});

test("a ban that fail2ban let go without a word ends here after two looks, a jail that is away does not", async () => {
  const world = createWorld();
  await world.tell({ jail: "sshd", id: "203.0.113.9", bannedAtMs: START });
  await world.tell({ jail: "away", id: "203.0.113.10", bannedAtMs: START });
  await world.clock.run(100_000);
  assert.ok(!world.local.some(({ kind }) => kind === "ended"));
  await world.clock.run(200_000);
  assert.deepEqual(
    world.local.filter(({ kind }) => kind === "ended"),
    [{ kind: "ended", address: "203.0.113.9" }],
  );
  assert.equal(world.told.length, 2, "and it is no pardon");
  await world.stop();
});

test("fail2ban that does not answer is asked again soon, and said to be away", async () => {
  const world = createWorld();
  world.fake.isAway = true;
  await world.clock.run(5_000);
  assert.deepEqual(world.facts, [undefined]);
  world.fake.isAway = false;
  await world.clock.run(11_000);
  assert.deepEqual(world.facts.at(-1), {
    ...{ version: "1.0.2", logtarget: "/var/log/fail2ban.log", isLogSilent: true, jailsLeftOut: ["bare"] },
    banSeconds: new Map([
      ["sshd", 600],
      ["bare", 600],
    ]),
    logs: new Map([
      ["sshd", ["/var/log/sshd.log"]],
      ["bare", ["/var/log/bare.log"]],
    ]),
  });
  await world.stop();
});

function fakeServer(bans: readonly Ban[]) {
  const fake = { bans: [...bans], isAway: false };
  const asked = () => {
    if (fake.isAway) throw new Fail2banError("fail2ban-unreachable", "no server");
  };
  const idsOf = (jail: string) => fake.bans.filter((ban) => ban.jail === jail).map(({ id }) => id);
  const server: Fail2banServer = {
    ping: async () => !fake.isAway,
    version: async () => "1.0.2",
    async banned() {
      asked();
      return new Map(["sshd", "bare"].map((jail) => [jail, idsOf(jail)]));
    },
    jails: async () => ["sshd", "bare"],
    unban: async () => 0,
    async get(jail, key) {
      if (key === "bantime") return 600;
      if (key === "logpath") return [`/var/log/${jail}.log`];
      return jail === "bare" ? ["iptables"] : ["iptables", "fleetban"];
    },
    bannedWithTime: async (jail) => fake.bans.filter((ban) => ban.jail === jail).map(lineOf),
    loglevel: async () => "ERROR",
    logtarget: async () => "/var/log/fail2ban.log",
    dbfile: async () => undefined,
  };
  return Object.assign(fake, { server });
}

function lineOf({ id, bannedAtMs }: Ban): string {
  const at = new Date(bannedAtMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${id} \t${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} + 600 = whenever`;
}

function seenBan({ jail, id, bannedAtMs }: Ban): SeenBan {
  return {
    ...{ kind: "ban", source: "fail2ban", address: parsePrefix(id), jail, bannedAtMs },
    ...{ banSeconds: 600, failures: 3, banCount: 1, atMs: bannedAtMs },
  };
}
