/** `fleetban-agent check`: one line and an exit code as Nagios plug-ins have them (0 ok, 1 warning, 2 critical, 3 unknown). */
import type { AgentStatus } from "../health/status.ts";
import { WARNABLES } from "../health/warnables.ts";

export interface CheckResult {
  readonly exitCode: 0 | 1 | 2 | 3;
  readonly line: string;
}

export function judge(status: AgentStatus): CheckResult {
  const errors = status.warnables.filter(({ code }) => WARNABLES[code].severity === "error");
  const warnings = status.warnables.filter(({ code }) => WARNABLES[code].severity === "warn");
  const entries = status.lists.reduce((sum, list) => sum + list.kernelEntries, 0);
  const performance = `entries=${entries} spool=${status.spool.sightings} drift=${status.firewall.driftEntries}c`;
  const named = [...errors, ...warnings].map(({ code }) => code).join(", ");
  if (errors.length > 0) return { exitCode: 2, line: `FLEETBAN CRITICAL - ${named} | ${performance}` };
  if (warnings.length > 0) return { exitCode: 1, line: `FLEETBAN WARNING - ${named} | ${performance}` };
  const { backend } = status.firewall;
  const done = backend === "dry-run" ? "counted in dry-run, none enforced" : `enforced by ${backend}`;
  return {
    exitCode: 0,
    line: `FLEETBAN OK - ${entries} ${entries === 1 ? "entry" : "entries"} ${done} | ${performance}`,
  };
}

/** No agent answered, or not in words that this program knows. One line, whatever went wrong. */
export function unknown(message: string): CheckResult {
  return { exitCode: 3, line: `FLEETBAN UNKNOWN - ${message.split("\n", 1)[0]}` };
}
