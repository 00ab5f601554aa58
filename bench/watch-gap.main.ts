/**
 * Asks the kernel without a pause whether set `argv[2]` matches address `argv[3]`; at the end of its standard input prints
 * the longest time in milliseconds during which it did not, and how often it asked.
 */
import { loadNetlink } from "@fleetban/agent/drivers/netlink";
import { openNetlinkSets } from "@fleetban/agent/firewall/ipset/netlink-sets";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { parsePrefix } from "@fleetban/proto/model/prefix";

const ASKED_A_LOOK = 50;

const [set = "", address = ""] = process.argv.slice(2);
const sets = openNetlinkSets({ open: await loadNetlink(), clock: systemClock });
const prefix = parsePrefix(address);
let isOver = false;
process.stdin.on("end", () => {
  isOver = true;
});
process.stdin.resume();
process.stdout.write("ready\n");

let longestMs = 0;
let asked = 0;
let inAtMs = performance.now();
while (!isOver) {
  for (let look = 0; look < ASKED_A_LOOK; look += 1) {
    const isIn = await sets.testEntry(set, prefix).catch(() => false); // no such set: open as well
    const nowMs = performance.now();
    // A gap is as long as two answers yes are apart, where a no lies between them.
    if (isIn) inAtMs = nowMs;
    else longestMs = Math.max(longestMs, nowMs - inAtMs);
    asked += 1;
  }
  await new Promise(setImmediate);
}
process.stdout.write(`${JSON.stringify({ longestMs, asked })}\n`);
process.exit(0);
