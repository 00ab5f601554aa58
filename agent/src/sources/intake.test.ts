import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { SpoolEntry } from "../spool/write-batch.ts";
import { KnownBans } from "./dedupe.ts";
import { createIntake } from "./intake.ts";
import type { SeenBan, SourceItem } from "./seen.ts";

const START_MS = 1_795_000_000_000;

/** A spool whose appends end when the test says so. */
function intakeFixture() {
  const clock = createVirtualClock(START_MS);
  const acted: string[] = [];
  const appends: { readonly told: readonly string[]; readonly end: PromiseWithResolvers<void> }[] = [];
  const append = (entries: readonly SpoolEntry[]) => {
    const end = Promise.withResolvers<void>();
    appends.push({ told: entries.map(({ sighting }) => sighting.address), end });
    return end.promise;
  };
  const intake = createIntake({
    ...{ spool: { append, note: () => undefined }, known: new KnownBans([], 0), clock, log: silentLog },
    local: (act) => void acted.push(act.address),
  });
  return { intake, acted, appends };
}

function ban(address: string): SourceItem {
  const seen: SeenBan = {
    ...{ kind: "ban", source: "fail2ban", address: parsePrefix(address), jail: "sshd", bannedAtMs: START_MS },
    ...{ banSeconds: 600, failures: 3, banCount: 1, atMs: START_MS },
  };
  return { seen, position: undefined };
}

test("a ban is acted on while the one before it waits for the disk, and both are written one after the other", async () => {
  const { intake, acted, appends } = intakeFixture();
  const first = intake.take([ban("45.83.64.1")]);
  const others = ["45.83.64.2", "45.83.64.3"].map((address) => intake.take([ban(address)]));
  assert.deepEqual(acted, ["45.83.64.1", "45.83.64.2", "45.83.64.3"]);
  assert.deepEqual(
    appends.map(({ told }) => told),
    [["45.83.64.1"]],
  );
  appends[0]?.end.resolve();
  await first;
  assert.deepEqual(appends[1]?.told, ["45.83.64.2", "45.83.64.3"], "what has gathered shares one write");
  appends[1]?.end.resolve();
  await Promise.all(others);
});

test("a ban that another source has just told is not taken before that one is durable", async () => {
  const { intake, appends } = intakeFixture();
  const first = intake.take([ban("45.83.64.1")]);
  let isTaken = false;
  const again = intake.take([ban("45.83.64.1")]).then(() => {
    isTaken = true;
  });
  await Promise.resolve();
  assert.equal(isTaken, false);
  appends[0]?.end.resolve();
  await Promise.all([first, again]);
  assert.equal(appends.length, 1);
});

test("what was judged while a write failed fails with it, and is news again", async () => {
  const { intake, appends } = intakeFixture();
  const takes = ["45.83.64.1", "45.83.64.1", "45.83.64.2"].map((address) => intake.take([ban(address)]));
  appends[0]?.end.reject(new Error("no room"));
  for (const take of takes) await assert.rejects(take, /no room/);
  const again = intake.take([ban("45.83.64.1"), ban("45.83.64.2")]);
  assert.deepEqual(appends[1]?.told, ["45.83.64.1", "45.83.64.2"]);
  appends[1]?.end.resolve();
  await again;
  assert.equal(intake.counts.get("fail2ban")?.told, 2);
});
