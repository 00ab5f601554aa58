/** sshguard's own parser and blocker, with the backend of deploy/examples in front of a real one, at an agent's socket. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { listenUnix } from "@fleetban/agent/drivers/unix-listener";
import type { Seen } from "@fleetban/agent/sources/seen";
import { serveSocket } from "@fleetban/agent/sources/socket/socket";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { eventually } from "../support/fleet/eventually.ts";
import { needs } from "../support/fleet/needs.ts";

const BACKEND = join(import.meta.dirname, "../../deploy/examples/sshguard/sshg-fw-fleetban");
const LIBEXEC = "/usr/libexec/sshguard";
/** Blocks after the third line, for two seconds. */
const PIPELINE = `${LIBEXEC}/sshg-parser | ${LIBEXEC}/sshg-blocker -a 30 -p 2 -s 60 | "${BACKEND}"`;

test("sshguard's blocks and releases reach the agent, and its real backend as before", {
  skip: needs("sshguard", "nc"),
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "fb-sshguard-"));
  const path = join(folder, "agent.sock");
  const stopper = new AbortController();
  const seen: Seen[] = [];
  const sink = { take: async (items: readonly { seen: Seen }[]) => void seen.push(...items.map((item) => item.seen)) };
  const desk = { refusalOf: () => undefined, listedOn: () => [], lift: async () => ({ jails: [] }) };
  const parts = { listen: listenUnix, sink, desk, clock: systemClock, log: silentLog };
  const served = serveSocket(parts, path, stopper.signal).catch(() => undefined);
  const env = { ...process.env, FLEETBAN_SOCKET: path, SSHGUARD_BACKEND: `${LIBEXEC}/sshg-fw-null` };
  const sshguard = spawn("sh", ["-c", PIPELINE], { env, stdio: ["pipe", "pipe", "ignore"] });
  let said = "";
  sshguard.stdout.on("data", (piece) => {
    said += piece;
  });
  try {
    for (const address of ["45.83.64.9", "2a01:4f8::9"]) {
      for (let failure = 1; failure <= 3; failure += 1) {
        sshguard.stdin.write(
          `Nov 21 12:00:0${failure} host sshd[${failure}]: Invalid user x from ${address} port 4711\n`,
        );
      }
    }
    const texts = () => seen.map((one) => ("address" in one ? `${one.kind} ${one.jail} ${one.address}` : one.kind));
    await eventually("both are told, and let go", () => texts().length >= 4);
    assert.deepEqual([...texts()].sort(), [
      "ban sshguard 2a01:4f8::9",
      "ban sshguard 45.83.64.9",
      "end sshguard 2a01:4f8::9",
      "end sshguard 45.83.64.9",
    ]);
    assert.ok(
      seen.every((one) => one.kind !== "end" || one.cause === "gone"),
      "its clock is no person",
    );
    await eventually("the real backend was told", () => said.includes("Releasing 45.83.64.9/32"));
    assert.match(said, /Blocking 45\.83\.64\.9\/32/);
  } finally {
    sshguard.stdin.end();
    if (sshguard.exitCode === null) await once(sshguard, "exit");
    stopper.abort(new Error("the test is over"));
    await served;
    await rm(folder, { recursive: true });
  }
});
