/**
 * `fleetban-agent enforce`: a first enforcement that undoes itself unless it is confirmed.
 *
 * Tells the running agent by a file in its data directory, which it watches: the same file tells it after a kill or a restart.
 */
import { join } from "node:path";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { formatDuration, parseDurationSeconds } from "@fleetban/kit/duration";
import { FleetbanError } from "@fleetban/kit/errors";
import { fileProblem } from "@fleetban/kit/file-problem";
import type { AgentConfig } from "../config.ts";
import { askStatus } from "../drivers/ask-status.ts";
import { agentHolding } from "../drivers/lock-data-dir.ts";
import { machineMoment, readTrialState, writeTrialState } from "../drivers/trial-file.ts";
import type { AgentStatus } from "../health/status.ts";
import { backendFor, decideMode, type EnforceMode, type TrialState } from "../trial/trial-state.ts";

export type EnforceWish =
  /** As typed: `10m`. */
  { readonly kind: "for"; readonly duration: string } | { readonly kind: "confirm" } | { readonly kind: "undo" };

const SHORTEST_SECONDS = 10;
const LONGEST_SECONDS = 7 * 86_400;
const TAKEN_UP_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 200;

export async function enforce(wish: EnforceWish, config: AgentConfig): Promise<readonly string[]> {
  if ((await agentHolding(config.data_dir)) === undefined) {
    throw new FleetbanError("agent-not-running", `no agent runs with data_dir ${config.data_dir}`, {
      hint: "start it with `systemctl start fleetban-agent`; with `backend: dry-run` in agent.yaml it only counts",
    });
  }
  const { mode } = decideMode(readTrialState(config.data_dir), { ...machineMoment(), backend: config.backend });
  switch (wish.kind) {
    case "for":
      return await begin(parseSeconds(wish.duration), mode, config);
    case "confirm":
      return await confirm(mode, config);
    case "undo":
      return await undo(mode, config);
  }
}

async function begin(seconds: number, mode: EnforceMode, config: AgentConfig): Promise<readonly string[]> {
  if (backendFor(mode, config.backend) !== "dry-run" && mode.kind !== "trial") {
    throw new FleetbanError("enforcing-already", "this agent enforces already; there is nothing to try", {
      hint: "for a trial, first let it count only: `backend: dry-run` in agent.yaml, restart it, `fleetban-agent uninstall`",
    });
  }
  const { bootId, uptimeMs } = machineMoment();
  await tell(config, { kind: "trial", bootId, endsAtUptimeMs: uptimeMs + seconds * 1_000 });
  const status = await takenUp(config, ({ enforcing, firewall }) => {
    return enforcing.kind !== "configured" && (enforcing.kind !== "trial" || firewall.rules === "present");
  });
  if (status?.enforcing.kind === "ended") {
    throw new FleetbanError("trial-failed", `the trial could not begin: ${status.enforcing.because}`, {
      hint: "nothing is enforced; see the agent's log, and `fleetban-agent status`",
    });
  }
  const by = status === undefined ? "" : ` by ${status.firewall.backend}`;
  return [
    `enforcing${by} for ${formatDuration(seconds)}; after that, or a restart of the machine, it is undone`,
    ...(status?.firewall.backend === "blackhole" ? [NO_TIMEOUTS] : []),
    "see that you can still log in, from elsewhere and anew, then: fleetban-agent enforce --confirm",
  ];
}

const NO_TIMEOUTS =
  "routes have no timeouts: if the agent is killed, they stay until it runs again, the machine restarts, or `fleetban-agent uninstall`";

async function confirm(mode: EnforceMode, config: AgentConfig): Promise<readonly string[]> {
  if (mode.kind !== "trial") throw nothingTo("confirm", mode);
  const isInYaml = config.backend !== "dry-run";
  await tell(config, isInYaml ? { kind: "none" } : { kind: "confirmed", atMs: systemClock.nowMs() });
  await takenUp(config, ({ enforcing, firewall }) => enforcing.kind !== "trial" && firewall.rules === "present");
  const disagrees =
    "agent.yaml still says `backend: dry-run`, which this confirmation overrules; set `backend: auto` there";
  return ["confirmed: this machine enforces from now on, after a restart, too", ...(isInYaml ? [] : [disagrees])];
}

async function undo(mode: EnforceMode, config: AgentConfig): Promise<readonly string[]> {
  if (mode.kind !== "trial" && mode.kind !== "confirmed") throw nothingTo("undo", mode);
  await tell(config, { kind: "undoing" });
  await takenUp(config, ({ enforcing }) => enforcing.kind === "ended");
  return ["undone: nothing is enforced here; the agent goes on counting"];
}

function nothingTo(act: string, mode: EnforceMode): FleetbanError {
  const why = mode.kind === "ended" ? `the trial has ended (${mode.because})` : "no trial is running";
  return new FleetbanError("no-trial", `nothing to ${act}: ${why}`, {
    hint: "begin one with `fleetban-agent enforce --for 10m`",
  });
}

async function tell({ data_dir }: AgentConfig, state: TrialState): Promise<void> {
  await writeTrialState(data_dir, state).catch((cause: unknown) => {
    throw new FleetbanError("data-dir-unwritable", `${join(data_dir, "enforce.json")}: ${fileProblem(cause)}`, {
      cause,
      hint: "run it as root",
    });
  });
}

/** The status in which it holds; undefined = the agent's endpoints are off, it takes it up within a second. */
async function takenUp(config: AgentConfig, holds: (status: AgentStatus) => boolean): Promise<AgentStatus | undefined> {
  const endpoint = { host: config["health.host"], port: config["health.port"] };
  if (endpoint.port === 0) return undefined;
  const deadlineMs = systemClock.monotonicMs() + TAKEN_UP_WITHIN_MS;
  for (;;) {
    // Between two modes it answers that it is starting.
    const status = await askStatus(endpoint).catch(() => undefined);
    if (status !== undefined && holds(status)) return status;
    if (systemClock.monotonicMs() > deadlineMs) {
      throw new FleetbanError("not-taken-up", "the agent has not taken it up within a minute", {
        hint: "see the agent's log, and `fleetban-agent status`; a trial that has begun ends by itself",
      });
    }
    await systemClock.sleep(LOOK_EVERY_MS);
  }
}

function parseSeconds(text: string): number {
  const seconds = parseDurationSeconds(text);
  if (seconds >= SHORTEST_SECONDS && seconds <= LONGEST_SECONDS) return seconds;
  throw new FleetbanError("bad-duration", `--for ${text}: must be 10s to 7d`, { hint: "write it as 10m or 1h" });
}
