/**
 * Runs the agent in the mode that agent.yaml and `enforce` lead to, and anew in another whenever that changes.
 *
 * A trial that is over is undone before the next mode begins: if this process is killed in between, the next one does it.
 */
import { createBell } from "@fleetban/kit/bell";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { FleetbanError } from "@fleetban/kit/errors";
import type { Log } from "@fleetban/kit/log";
import type { AgentConfig } from "../config.ts";
import { machineMoment, readTrialState, trialPath, writeTrialState } from "../drivers/trial-file.ts";
import { uninstallBackends } from "../drivers/uninstall-backends.ts";
import { watchPaths } from "../drivers/watch-paths.ts";
import { type Decision, decideMode, type EnforceMode } from "../trial/trial-state.ts";

/** Runs until `signal` aborts, then rejects with its reason. */
export type RunMode = (mode: EnforceMode, signal: AbortSignal) => Promise<void>;

const LOOK_EVERY_MS = 1_000;

export async function runModes(
  { config, log }: { readonly config: AgentConfig; readonly log: Log },
  runMode: RunMode,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const mode = await settle(config, log);
    const changed = new AbortController();
    const watching = watchMode(config, mode, AbortSignal.any([signal, changed.signal])).then(
      () => changed.abort(new FleetbanError("mode-changed", "enforcement is tried, confirmed or over")),
      () => undefined,
    );
    try {
      await runMode(mode, AbortSignal.any([signal, changed.signal]));
    } catch (error) {
      if (signal.aborted) throw error;
      if (!changed.signal.aborted) await endTrial(config, log, mode, error);
    } finally {
      changed.abort();
      await watching;
    }
  }
}

function decide(config: AgentConfig): Decision {
  return decideMode(readTrialState(config.data_dir), { ...machineMoment(), backend: config.backend });
}

async function settle(config: AgentConfig, log: Log): Promise<EnforceMode> {
  const { mode, next, isUndo } = decide(config);
  if (isUndo) log.warn("agent.trial_ended", { because: describe(mode), removed: await uninstallBackends() });
  if (next !== undefined) await writeTrialState(config.data_dir, next);
  return mode;
}

/** Resolves when another mode is due. */
async function watchMode(config: AgentConfig, mode: EnforceMode, signal: AbortSignal): Promise<void> {
  const changed = createBell(systemClock);
  const watch = watchPaths([trialPath(config.data_dir)], changed.ring);
  try {
    while (isSame(decide(config).mode, mode)) await changed.wait(changed.rings, LOOK_EVERY_MS, signal);
  } finally {
    watch.close();
  }
}

/** What can't enforce here counts on, and says why; anything else that ends the agent ends the program. */
async function endTrial(config: AgentConfig, log: Log, mode: EnforceMode, cause: unknown): Promise<void> {
  if (mode.kind !== "trial" || !(cause instanceof FleetbanError)) throw cause;
  log.error("agent.trial_failed", { error: cause });
  const removed = await uninstallBackends().catch(() => []);
  if (removed.length > 0) log.info("agent.trial_undone", { removed });
  await writeTrialState(config.data_dir, { kind: "ended", because: cause.message });
}

function isSame(one: EnforceMode, other: EnforceMode): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function describe(mode: EnforceMode): string {
  return mode.kind === "ended" ? mode.because : mode.kind;
}
