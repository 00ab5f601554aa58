import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "@fleetban/kit/log";
import { Blocklist } from "@fleetban/proto/model/blocklist";
import { parseDigestKey } from "@fleetban/proto/model/digest";
import { LIST_EXEMPT, PARDONED } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import type { UnixSeconds } from "@fleetban/proto/model/time";
import { createPardonLifter } from "./lift-pardoned.ts";

const at = (seconds: number) => seconds as UnixSeconds;
const address = parsePrefix("45.83.64.9");

function lifterFixture(bans: () => Promise<readonly Prefix[]>) {
  const pardons = new Blocklist(LIST_EXEMPT, parseDigestKey(new Uint8Array(16)));
  pardons.put({ prefix: address, rank: PARDONED, begun: at(1_000), until: at(0) });
  const unbanned: Prefix[][] = [];
  const answers: unknown[] = [];
  const lift = createPardonLifter({
    source: {
      bans: async () => (await bans()).map((banned) => ({ address: banned, jail: "sshd", bannedAt: at(900) })),
      unban: async (addresses) => void unbanned.push([...addresses]),
    },
    exempt: () => [pardons],
    now: () => at(2_000),
    log: silentLog,
    onAnswer: (failure) => answers.push(failure),
  });
  return { lift, unbanned, answers };
}

test("only what is pardoned is lifted, once", async () => {
  const { lift, unbanned, answers } = lifterFixture(async () => [address, parsePrefix("45.83.64.10"), address]);
  await lift();
  assert.deepEqual(unbanned, [[address]]);
  assert.deepEqual(answers, [undefined]);
});

test("calls during a run lead to one more run, not to one each", async () => {
  let asked = 0;
  const first = Promise.withResolvers<readonly Prefix[]>();
  const { lift } = lifterFixture(() => {
    asked += 1;
    return asked === 1 ? first.promise : Promise.resolve([]);
  });
  const runs = [lift(), lift(), lift()];
  first.resolve([]);
  await Promise.all(runs);
  assert.equal(asked, 2);
});

test("a fail2ban that does not answer is told of, and the next call tries again", async () => {
  let down = true;
  const { lift, unbanned, answers } = lifterFixture(async () => {
    if (down) throw new Error("no server");
    return [address];
  });
  await lift();
  assert.match(String(answers[0]), /no server/);
  down = false;
  await lift();
  assert.deepEqual(unbanned, [[address]]);
});
