/** Asks a program's health endpoint until it says that it is ready. */
import { setTimeout as sleep } from "node:timers/promises";
import type { RunningProgram } from "./program.ts";
import { StartError } from "./start-error.ts";

export interface Awaited {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Of the body; without it any answer of status 200 will do. */
  readonly isReady?: (body: string) => boolean;
  readonly log: string;
  readonly waitMs: number;
}

const ASK_EVERY_MS = 50;
const ANSWER_MS = 2_000;

export async function untilReady(program: RunningProgram, wanted: Awaited, signal: AbortSignal): Promise<void> {
  await Promise.race([program.ended, askUntilReady(wanted, signal)]);
}

async function askUntilReady(wanted: Awaited, signal: AbortSignal): Promise<void> {
  const { name, log, waitMs } = wanted;
  const deadlineMs = performance.now() + waitMs;
  for (let whyNot = await ask(wanted); whyNot !== undefined; whyNot = await ask(wanted)) {
    if (performance.now() > deadlineMs) {
      throw new StartError("not-ready", `the ${name} is not ready after ${waitMs / 1_000} s: ${whyNot}`, {
        hint: `its log: ${log}`,
      });
    }
    await sleep(ASK_EVERY_MS, undefined, { signal });
  }
}

/** Undefined = ready, else why not. */
async function ask({ host, port, path, isReady = () => true }: Awaited): Promise<string | undefined> {
  const url = `http://${reachable(host)}:${port}${path}`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    const body = (await response.text()).trim();
    return response.ok && isReady(body) ? undefined : body;
  } catch {
    return `${url} does not answer`;
  }
}

function reachable(host: string): string {
  if (["*", "0.0.0.0", "::"].includes(host)) return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
