/**
 * Runs on a host: for each address on its standard input, prints `watching`, and the monotonic nanoseconds at which the
 * kernel set named by `argv[2]` holds it.
 *
 * It asks the kernel and sleeps in turn, so that it takes no core from what is measured, and goes before all others when it
 * wakes; a figure is late by that sleep at most (with what the system adds to one, 0.15 ms).
 */
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import { loadNetlink } from "@fleetban/agent/drivers/netlink";
import { openNetlinkSets } from "@fleetban/agent/firewall/ipset/netlink-sets";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";

const SLEEP_MS = 0.1;
const GIVE_UP_NS = 10_000_000_000n;

const setName = process.argv[2] ?? "";
const sets = openNetlinkSets({ open: await loadNetlink(), clock: systemClock });
const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
setPriority(constants.priority.PRIORITY_HIGHEST);
process.stdout.write("ready\n");

for await (const line of createInterface({ input: process.stdin })) {
  const address = parsePrefix(line.trim());
  if (await sets.testEntry(setName, address)) throw new Error(`${setName} has ${address} already`);
  process.stdout.write("watching\n");
  process.stdout.write(`${await timeOfEntry(address)}\n`);
}

async function timeOfEntry(address: Prefix): Promise<bigint> {
  const begunNs = process.hrtime.bigint();
  while (!(await sets.testEntry(setName, address))) {
    if (process.hrtime.bigint() - begunNs > GIVE_UP_NS) throw new Error(`${setName} does not get ${address}`);
    Atomics.wait(never, 0, 0, SLEEP_MS);
  }
  return process.hrtime.bigint();
}
