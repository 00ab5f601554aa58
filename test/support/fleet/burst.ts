/** Load for an agent: bans told one by one, through whatever happens to the agent meanwhile. */
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { handOver } from "./hand-over.ts";

export interface Burst {
  /** Told so far. */
  told(): number;
  /** Resolves when all are told. */
  readonly done: Promise<void>;
}

/** As fail2ban's action does: it does not ask whether an agent is there. */
export function burstByHandoff(handoff: string, addresses: readonly string[], everyMs: number): Burst {
  let told = 0;
  async function tellAll(): Promise<void> {
    for (const address of addresses) {
      await handOver(handoff, { address });
      told += 1;
      await pause(everyMs);
    }
  }
  return { told: () => told, done: tellAll() };
}

/** As a tool does that takes care: what was not answered with ok is told again, with the same time. */
export function burstBySocket(socket: string, addresses: readonly string[], everyMs: number): Burst {
  let told = 0;
  async function tellAll(): Promise<void> {
    for (const address of addresses) {
      const line = JSON.stringify({ ip: address, jail: "tool", ban_seconds: 600, at: Date.now() / 1_000 });
      while (!(await isTaken(socket, line))) await pause(everyMs);
      told += 1;
      await pause(everyMs);
    }
  }
  return { told: () => told, done: tellAll() };
}

async function isTaken(socket: string, line: string): Promise<boolean> {
  const [answer] = await askSocket(socket, `${line}\n`).catch(() => []);
  return answer !== undefined && (JSON.parse(answer) as { ok: boolean }).ok;
}

/** Writes the bytes, says no more, and gives the lines of the answer. */
export async function askSocket(socket: string, bytes: string | Uint8Array): Promise<readonly string[]> {
  const connection = connect(socket);
  const lines = Array.fromAsync(createInterface({ input: connection }));
  const broken = new Promise<never>((_, reject) => connection.once("error", reject));
  connection.end(bytes);
  return await Promise.race([lines, broken]);
}
