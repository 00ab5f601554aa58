/**
 * The fake AbuseIPDB as a program of its own: `node test/support/fake-abuseipdb.main.ts --port 8080 [--host 127.0.0.1]
 * [--entries 10000] [--seed 1] [--list FILE] [--state FILE] [--key KEY=PLAN]…`. Prints one line with its URL when it listens.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { BlacklistEntry } from "./fake-abuseipdb/blacklist.ts";
import { madeUpEntries } from "./fake-abuseipdb/entries.ts";
import type { PlanName } from "./fake-abuseipdb/plans.ts";
import { startFakeAbuseIpdb } from "./fake-abuseipdb.ts";

const { values } = parseArgs({
  options: {
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "0" },
    entries: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    list: { type: "string" },
    state: { type: "string" },
    key: { type: "string", multiple: true },
  },
});

const fake = await startFakeAbuseIpdb({
  host: values.host,
  port: Number(values.port),
  entries:
    values.list === undefined ? madeUpEntries(Number(values.entries), Number(values.seed)) : readList(values.list),
  ...(values.state === undefined ? {} : { stateFile: values.state }),
  ...(values.key === undefined ? {} : { keys: Object.fromEntries(values.key.map(keyAndPlan)) }),
});
console.log(JSON.stringify({ event: "fake-abuseipdb.listening", url: fake.url }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void fake.close());

function keyAndPlan(text: string): [string, PlanName] {
  const [key = "", plan = "free"] = text.split("=");
  return [key, plan as PlanName];
}

/** One address a line, all at confidence 100. */
function readList(path: string): BlacklistEntry[] {
  const lastReportedAt = "2026-01-01T00:00:00+00:00";
  const lines = readFileSync(path, "utf8").split(/\s+/);
  return lines
    .filter((line) => line !== "")
    .map((ipAddress) => ({ ipAddress, countryCode: null, abuseConfidenceScore: 100, lastReportedAt }));
}
