/** What ipset's rules do to real packets. */
import { after, before, beforeEach, test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { loadNetlink } from "../../drivers/netlink.ts";
import { spawn } from "../../drivers/spawn.ts";
import type { Backend } from "../backend.ts";
import { createPairs, ruleFixture } from "../conformance.fixture.ts";
import { EXACT_COUNT, PACKET_CASES } from "../packet-cases.fixture.ts";
import { openPacketStage, type PacketStage } from "../packet-stage.fixture.ts";
import { openIpsetBackend } from "./ipset-backend.ts";

const skip = process.geteuid?.() === 0 ? false : "needs root";

let stage: PacketStage;
let backend: Backend;

before(async () => {
  if (skip !== false) return;
  stage = await openPacketStage();
  backend = await openIpsetBackend({ loadNetlink, spawn, clock: systemClock, log: silentLog });
});

beforeEach(async () => {
  if (skip !== false) return;
  await backend.uninstall();
  await createPairs(backend);
  await backend.ensureRules([ruleFixture]);
});

after(async () => {
  if (skip !== false) return;
  await backend.close();
  await stage[Symbol.asyncDispose]();
});

for (const { name, run } of [...PACKET_CASES, EXACT_COUNT]) test(name, { skip }, () => run(backend, stage));
