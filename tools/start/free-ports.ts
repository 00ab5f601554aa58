/** Looks whether ports can be listened on, before programs are started that would only find out later. */
import { createServer } from "node:net";
import { PORTS } from "./options.ts";
import { StartError } from "./start-error.ts";

export interface WantedPort {
  readonly host: string;
  readonly port: number;
  /** What it is for. */
  readonly use: string;
}

const SUGGESTIONS = [17_741, 27_741, 37_741, 47_741];

export async function assertPortsFree(wanted: readonly WantedPort[]): Promise<void> {
  for (const { host, port, use } of wanted) {
    const problem = await problemOf(host, port);
    if (problem === undefined) continue;
    throw new StartError("port-taken", `port ${port} (${use}) ${problem}`, {
      hint: `choose others: npm start -- --port-base ${await freeBase(host)}`,
    });
  }
}

async function freeBase(host: string): Promise<number> {
  for (const base of SUGGESTIONS) {
    const ports = Array.from({ length: PORTS }, (_, index) => base + index);
    const problems = await Promise.all(ports.map((port) => problemOf(host, port)));
    if (problems.every((problem) => problem === undefined)) return base;
  }
  return SUGGESTIONS.at(-1) ?? 0;
}

function problemOf(host: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once("error", ({ code }: NodeJS.ErrnoException) => resolve(textOf(code)));
  const where = host === "*" ? {} : { host };
  server.listen({ ...where, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  return promise;
}

function textOf(code: string | undefined): string {
  if (code === "EADDRINUSE") return "is taken by another program";
  if (code === "EACCES") return "may be used by root only";
  return `can't be listened on (${code})`;
}
