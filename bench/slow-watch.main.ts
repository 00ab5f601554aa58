/**
 * Runs on a host: takes orders as JSON lines, and prints the monotonic nanoseconds at which each came true.
 *
 * `{"id", "set", "address"}`: the kernel set holds the address. `{"id", "sets", "entries"}`: the sets hold so many.
 * It asks and sleeps in turn; a figure is late by that sleep at most (with what the system adds, 0.3 ms).
 */
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import { loadNetlink } from "@fleetban/agent/drivers/netlink";
import { openNetlinkSets } from "@fleetban/agent/firewall/ipset/netlink-sets";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { parsePrefix } from "@fleetban/proto/model/prefix";

export type Order = { readonly id: number } & (
  | { readonly set: string; readonly address: string }
  | { readonly sets: readonly string[]; readonly entries: number }
);

const SLEEP_MS = 0.2;

const sets = openNetlinkSets({ open: await loadNetlink(), clock: systemClock });
const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
const open = new Map<number, Order>();
let woken = Promise.withResolvers<void>();
setPriority(constants.priority.PRIORITY_HIGHEST);
createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line) as Order;
  open.set(order.id, order);
  woken.resolve();
});
process.stdout.write("ready\n");

for (;;) {
  if (open.size === 0) {
    woken = Promise.withResolvers();
    await woken.promise;
  }
  for (const order of open.values()) {
    if (!(await isTrue(order))) continue;
    open.delete(order.id);
    process.stdout.write(`${order.id} ${process.hrtime.bigint()}\n`);
  }
  Atomics.wait(never, 0, 0, SLEEP_MS);
  await new Promise(setImmediate);
}

async function isTrue(order: Order): Promise<boolean> {
  if ("address" in order) return await sets.testEntry(order.set, parsePrefix(order.address));
  const headers = (await sets.headers()).filter(({ name }) => order.sets.includes(name));
  return headers.reduce((sum, { entries }) => sum + (entries ?? 0), 0) >= order.entries;
}
