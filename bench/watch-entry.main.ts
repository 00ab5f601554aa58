/**
 * Runs on a host: for each address on its standard input, prints the monotonic nanoseconds at which the set named by
 * `argv[2]` holds it. Asks the kernel again and again, so the figure is late by one question (about 10 µs) at most.
 */
import { createInterface } from "node:readline";
import { loadNetlink } from "@fleetban/agent/drivers/netlink";
import { openNetlinkSets } from "@fleetban/agent/firewall/ipset/netlink-sets";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { parsePrefix } from "@fleetban/proto/model/prefix";

const GIVE_UP_NS = 10_000_000_000n;

const setName = process.argv[2] ?? "";
const sets = openNetlinkSets({ open: await loadNetlink(), clock: systemClock });
process.stdout.write("ready\n");

for await (const line of createInterface({ input: process.stdin })) {
  const prefix = parsePrefix(line.trim());
  const begun = process.hrtime.bigint();
  for (;;) {
    if (await sets.testEntry(setName, prefix)) break;
    if (process.hrtime.bigint() - begun > GIVE_UP_NS) throw new Error(`${setName} does not get ${prefix}`);
  }
  process.stdout.write(`${process.hrtime.bigint()}\n`);
}
