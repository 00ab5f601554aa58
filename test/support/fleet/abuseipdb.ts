/** The fake AbuseIPDB as a host of a test network, asked and told by its back door. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Fault, ReportFault } from "../fake-abuseipdb/fault.ts";
import type { Report } from "../fake-abuseipdb/state.ts";
import { FREE_KEY } from "../fake-abuseipdb.ts";
import type { CoordinatorOptions } from "./coordinator.ts";
import { eventually } from "./eventually.ts";
import type { Network } from "./network.ts";

export interface FleetAbuseIpdb {
  /** For the coordinator's configuration. */
  readonly options: Required<Pick<CoordinatorOptions, "abuseipdb">>;
  /** Makes the next list new, as after a day. */
  regenerate(): Promise<void>;
  inject(fault: Fault, times: number): Promise<void>;
  /** Calls of the blacklist, and the most of them in one UTC day. */
  calls(): Promise<{ readonly calls: number; readonly mostInADay: number }>;
  injectReport(fault: ReportFault, times: number): Promise<void>;
  reports(): Promise<readonly Report[]>;
}

const ADDRESS = "104.26.12.38";
const PORT = 8_080;
const PROGRAM = join(import.meta.dirname, "../fake-abuseipdb.main.ts");

/** A free plan whose list names the addresses. */
export async function startAbuseIpdb(
  network: Network,
  dir: string,
  addresses: readonly string[],
): Promise<FleetAbuseIpdb> {
  const host = await network.host("abuseipdb", [ADDRESS]);
  const list = join(dir, "blacklist.txt");
  await writeFile(list, addresses.join("\n"));
  const args = ["--host", ADDRESS, "--port", String(PORT), "--list", list, "--key", `${FREE_KEY}=free`];
  host.spawn(process.execPath, [PROGRAM, ...args]);

  async function ask<Answer>(path: string, body?: unknown): Promise<Answer> {
    const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const url = `http://${ADDRESS}:${PORT}/_fake/${path}`;
    const script = `fetch(${JSON.stringify(url)}, ${JSON.stringify(options)}).then((a) => a.text()).then(console.log)`;
    return JSON.parse(await host.run(process.execPath, ["-e", script])) as Answer;
  }

  await eventually("the fake AbuseIPDB answers", async () => await ask<unknown>("calls"));
  return {
    options: { abuseipdb: { url: `http://${ADDRESS}:${PORT}/api/v2`, key: FREE_KEY } },
    regenerate: async () => void (await ask("regenerate", {})),
    inject: async (fault, times) => void (await ask("fault", { fault, times })),
    injectReport: async (fault, times) => void (await ask("report-fault", { fault, times })),
    reports: async () => (await ask<{ reports: readonly Report[] }>("reports")).reports,
    async calls() {
      const { calls, mostInADay } = await ask<{ calls: readonly unknown[]; mostInADay: number }>("calls");
      return { calls: calls.length, mostInADay };
    },
  };
}
