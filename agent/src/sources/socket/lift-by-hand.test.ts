import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { KnownBans, type LocalAct } from "../dedupe.ts";
import { Fail2banError } from "../fail2ban/fail2ban-error.ts";
import { createIntake } from "../intake.ts";
import { liftByHand } from "./lift-by-hand.ts";

const NOW = 1_795_000_000_000;
const ADDRESS = parsePrefix("203.0.113.9");

async function lift(jails: readonly string[], unban: (addresses: readonly Prefix[]) => Promise<number>) {
  const clock = createVirtualClock(NOW);
  const known = new KnownBans([], 0);
  const told: string[] = [];
  const local: LocalAct[] = [];
  const spool = {
    append: async (entries: readonly { sighting: { kind: string; jail: string } }[]) => {
      for (const { sighting } of entries) told.push(`${sighting.kind} ${sighting.jail}`);
    },
    note: () => undefined,
  };
  const sink = createIntake({ spool, known, clock, log: silentLog, local: (act) => void local.push(act) });
  for (const jail of jails) {
    const ban = { kind: "ban", source: "fail2ban", address: ADDRESS, jail, bannedAtMs: NOW - 1_000 } as const;
    const seen = { ...ban, banSeconds: 600, failures: 3, banCount: 1, atMs: NOW };
    await sink.take([{ seen, position: undefined }]);
  }
  const lifted = await liftByHand({ sink, known, server: { unban } }, ADDRESS, NOW);
  return { lifted, told: told.slice(jails.length), local: local.at(-1) };
}

test("every jail's ban of it ends as an act of a person, before fail2ban is asked", async () => {
  const asked: (readonly Prefix[])[] = [];
  const { lifted, told, local } = await lift(["sshd", "nginx"], async (addresses) => asked.push(addresses) + 1);
  assert.deepEqual(lifted, { jails: ["sshd", "nginx"], fail2ban: 2 });
  assert.deepEqual(told, ["unban-by-hand sshd", "unban-by-hand nginx"]);
  assert.deepEqual(local, { kind: "ended", address: ADDRESS });
  assert.deepEqual(asked, [[ADDRESS]]);
});

test("what nobody has told here is let go all the same, fail2ban running or not", async () => {
  const { lifted, told, local } = await lift([], async () => {
    throw new Fail2banError("fail2ban-unreachable", "it does not answer");
  });
  assert.deepEqual(lifted, { jails: [] });
  assert.deepEqual(told, ["unban-by-hand by-hand"]);
  assert.equal(local?.kind, "ended");
});
