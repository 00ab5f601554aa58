import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { KnownBans } from "../dedupe.ts";
import type { SeenBan } from "../seen.ts";
import { createHearing, type HearingFaults, type HearingSettings } from "./hearing.ts";
import type { Fail2banFacts } from "./jail-facts.ts";

const START = 1_795_000_000_000;
const DAY = 86_400_000;
const FACTS: Fail2banFacts = {
  ...{ version: "1.0.2", banSeconds: new Map(), jailsLeftOut: [], logs: new Map() },
  ...{ logtarget: "/var/log/fail2ban.log", isLogSilent: false },
};

function createWorld(settings: Partial<HearingSettings> = {}) {
  const clock = createVirtualClock(START);
  const known = new KnownBans([], 0);
  const changed = new Map<string, number>();
  let faults: HearingFaults = new Map();
  const hearing = createHearing(
    {
      ...{ clock, known, files: { changedAtMs: (path: string) => changed.get(path) } },
      onFaults(now) {
        faults = now;
      },
    },
    { handoff: "/handoff", log: "", quietAfterMs: DAY, ...settings },
  );
  const tell = (source: SeenBan["source"], address = "203.0.113.9") => {
    const atMs = clock.nowMs();
    const ban = { kind: "ban", source, address: parsePrefix(address), jail: "sshd", bannedAtMs: atMs, atMs } as const;
    known.judge({ ...ban, banSeconds: 6_000, failures: 3, banCount: 1 }, atMs);
  };
  return { clock, changed, hearing, tell, faults: () => Object.fromEntries(faults) };
}

test("a jail without the action is left out, unless the log is followed", () => {
  const world = createWorld();
  world.hearing.looked({ ...FACTS, jailsLeftOut: ["dovecot", "bare"] });
  assert.deepEqual(world.faults(), { "jail-left-out": "dovecot, bare" });
  world.hearing.looked(FACTS);
  assert.deepEqual(world.faults(), {});
  const logged = createWorld({ log: "/var/log/fail2ban.log" });
  logged.hearing.looked({ ...FACTS, jailsLeftOut: ["dovecot"] });
  assert.deepEqual(logged.faults(), {});
});

test("a jail of which a ban had to be asked for is unheard until its action writes again", () => {
  const world = createWorld();
  world.hearing.missed("sshd");
  world.hearing.missed("bare");
  world.hearing.looked({ ...FACTS, jailsLeftOut: ["bare"] });
  assert.deepEqual(world.faults(), { "jail-left-out": "bare", "jail-unheard": "sshd" });
  world.hearing.heard("nginx");
  world.hearing.heard("sshd");
  assert.deepEqual(world.faults(), { "jail-left-out": "bare" });
});

test("a jail is deaf when its log is gone, or stands still while another's grows", () => {
  const world = createWorld();
  const logs = new Map([
    ["sshd", ["/auth.log"]],
    ["web", ["/access.log", "/error.log"]],
    ["mail", ["/gone.log"]],
    ["journal", []],
  ]);
  world.changed
    .set("/auth.log", START - 2 * DAY)
    .set("/access.log", START - 3 * DAY)
    .set("/error.log", START - 60_000);
  world.hearing.looked({ ...FACTS, logs });
  const text = "sshd: /auth.log has not grown for 1d, mail: /gone.log can't be found";
  assert.deepEqual(world.faults(), { "jail-deaf": text });
  world.changed.set("/error.log", START - 2 * DAY).set("/gone.log", START - 2 * DAY);
  world.hearing.looked({ ...FACTS, logs });
  assert.deepEqual(world.faults(), {}, "a quiet machine is no deaf one");
});

test("a log without fail2ban's newest ban is silent until it tells one", async () => {
  const world = createWorld({ log: "/var/log/f2b.log" });
  world.tell("log");
  await world.clock.run(60_000);
  world.tell("fail2ban", "203.0.113.10");
  world.hearing.looked(FACTS);
  assert.deepEqual(world.faults(), {}, "the log may be on its way");
  await world.clock.run(80_000);
  world.hearing.looked(FACTS);
  assert.match(
    world.faults()["log-silent"] ?? "",
    /203\.0\.113\.10 by sshd is not in it; .* \/var\/log\/fail2ban\.log/,
  );
  world.tell("log", "203.0.113.11");
  await world.clock.run(100_000);
  world.hearing.looked(FACTS);
  assert.deepEqual(world.faults(), {});
  world.hearing.looked({ ...FACTS, isLogSilent: true });
  assert.deepEqual(world.faults(), { "log-silent": "its log level is above NOTICE" });
});

test("a log that is not there is said once, and again no more when it is", () => {
  const world = createWorld({ log: "/var/log/f2b.log" });
  world.hearing.logIs("/var/log/f2b.log is not there");
  assert.deepEqual(world.faults(), { "log-unreadable": "/var/log/f2b.log is not there" });
  world.hearing.logIs(undefined);
  assert.deepEqual(world.faults(), {});
});
