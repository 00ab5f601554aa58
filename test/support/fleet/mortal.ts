/** A program of ours on a host that dies by SIGKILL at a point of its work (see mortal.main.ts). */
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";
import type { FleetAgent } from "./agent.ts";
import type { FleetCoordinator } from "./coordinator.ts";
import type { Host } from "./host.ts";
import type { Point } from "./mortal/point.ts";

const ROOT = join(import.meta.dirname, "../../..");
const PROGRAM = join(import.meta.dirname, "mortal.main.ts");
const DIES_WITHIN_MS = 90_000;

export interface Mortal {
  /** Resolves when it has died at its point; rejects when it ends otherwise, or lives too long. */
  died(): Promise<void>;
}

/** In the place of the agent, which is stopped. */
export function startMortalAgent({ host, configFile, logFile }: FleetAgent, point: Point): Mortal {
  return startMortal(host, point, ["agent/src/main.ts", "run", "--config", configFile], logFile);
}

/** In the place of the coordinator, which is stopped. */
export function startMortalCoordinator({ host, dir }: FleetCoordinator, point: Point): Mortal {
  const config = join(dir, "coordinator.yaml");
  return startMortal(host, point, ["coordinator/src/main.ts", "--config", config], join(dir, "coordinator.log"));
}

function startMortal(host: Host, point: Point, [main = "", ...args]: readonly string[], logFile: string): Mortal {
  const log = openSync(logFile, "a");
  const child = host.spawn(process.execPath, [PROGRAM, point, join(ROOT, main), ...args], {
    stdio: ["ignore", log, log],
  });
  const ended = once(child, "exit") as Promise<[number | null, string | null]>;
  return {
    async died() {
      const late = AbortSignal.timeout(DIES_WITHIN_MS);
      const tooLate = once(late, "abort").then(() => undefined);
      const ending = await Promise.race([ended, tooLate]);
      if (ending?.[1] === "SIGKILL") return;
      throw new Error(`it did not die at ${point}: ${ending === undefined ? "it lives" : ending} (${logFile})`);
    },
  };
}
