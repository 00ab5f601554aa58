/** The machine's own randomness, fit for keys and tokens. */
import { randomBytes } from "node:crypto";
import type { Random } from "../random.ts";

export const systemRandom: Random = {
  bytes: (count) => Uint8Array.from(randomBytes(count)), // a copy: randomBytes may give a view of Node's shared pool
  unit: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
};
