/**
 * Sleeps 5 ms at a time until its standard input ends, then prints by how many milliseconds it was late, as JSON.
 *
 * Hardly anything else: what it needs itself of a small share of a core is not what is asked.
 */
import { round } from "./measured.ts";

const SLEEP_MS = 5;
const SLEEPS_A_LOOK = 20;

const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
const lateMs: number[] = [];
let isOver = false;
process.stdin.on("end", () => {
  isOver = true;
});
process.stdin.resume();
process.stdout.write("ready\n");

while (!isOver) {
  for (let sleep = 0; sleep < SLEEPS_A_LOOK; sleep += 1) {
    const begunMs = performance.now();
    Atomics.wait(never, 0, 0, SLEEP_MS);
    lateMs.push(performance.now() - begunMs - SLEEP_MS);
  }
  await new Promise(setImmediate);
}
process.stdout.write(`${JSON.stringify(lateMs.map((late) => round(late)))}\n`, () => process.exit(0));
