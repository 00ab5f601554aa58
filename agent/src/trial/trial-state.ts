/**
 * Whether this machine enforces, as `fleetban-agent enforce` and agent.yaml say together. Pure.
 *
 * A trial ends by the machine's uptime, which no clock that is set can move, and with a reboot: whoever has locked himself out
 * gets in again by either. What it was is kept in the data directory, so that a killed agent finds it.
 */
export type TrialState =
  | { readonly kind: "none" }
  /** Since `enforce --for`, until it is confirmed. */
  | { readonly kind: "trial"; readonly bootId: string; readonly endsAtUptimeMs: number }
  /** By `enforce --undo`: over, and not taken away yet. */
  | { readonly kind: "undoing" }
  /** It was not confirmed, or could not begin. */
  | { readonly kind: "ended"; readonly because: string }
  /** By `enforce --confirm`. */
  | { readonly kind: "confirmed"; readonly atMs: number };

export type EnforceMode =
  | { readonly kind: "configured" }
  | { readonly kind: "trial"; readonly endsAtUptimeMs: number }
  | { readonly kind: "ended"; readonly because: string }
  | { readonly kind: "confirmed"; readonly atMs: number };

export interface MachineNow {
  readonly bootId: string;
  readonly uptimeMs: number;
  /** agent.yaml's. */
  readonly backend: string;
}

export interface Decision {
  readonly mode: EnforceMode;
  /** To be kept from now on; undefined = as it is. */
  readonly next: TrialState | undefined;
  /** What the trial put into the kernel has to go first. */
  readonly isUndo: boolean;
}

const NONE: TrialState = { kind: "none" };

export function decideMode(state: TrialState, { bootId, uptimeMs, backend }: MachineNow): Decision {
  switch (state.kind) {
    case "none":
      return { mode: { kind: "configured" }, next: undefined, isUndo: false };
    case "confirmed":
      if (backend === "dry-run") return { mode: state, next: undefined, isUndo: false };
      // agent.yaml says it itself now; a dry run that is set there later is one again.
      return { mode: { kind: "configured" }, next: NONE, isUndo: false };
    case "ended":
      return { mode: state, next: undefined, isUndo: false };
    case "undoing":
      return endedBecause("somebody undid it");
    case "trial":
      if (state.bootId !== bootId) return endedBecause("the machine was restarted");
      if (uptimeMs >= state.endsAtUptimeMs) return endedBecause("nobody confirmed it");
      return { mode: { kind: "trial", endsAtUptimeMs: state.endsAtUptimeMs }, next: undefined, isUndo: false };
  }
}

function endedBecause(because: string): Decision {
  const ended = { kind: "ended", because } as const;
  return { mode: ended, next: ended, isUndo: true };
}

/** The backend that agent.yaml and the mode lead to. */
export function backendFor<Backend extends string>(
  mode: EnforceMode,
  configured: Backend,
): Backend | "auto" | "dry-run" {
  switch (mode.kind) {
    case "configured":
      return configured;
    case "ended":
      return "dry-run";
    case "trial":
    case "confirmed":
      return configured === "dry-run" ? "auto" : configured;
  }
}

/** A damaged file is a trial that has ended: better to count than to enforce what nobody confirmed. */
export function parseTrialState(text: string | undefined): TrialState {
  if (text === undefined) return NONE;
  try {
    const state = JSON.parse(text) as TrialState;
    if (state.kind === "trial" && typeof state.bootId === "string" && Number.isFinite(state.endsAtUptimeMs))
      return state;
    if (state.kind === "confirmed" && Number.isFinite(state.atMs)) return state;
    if (state.kind === "ended" || state.kind === "undoing" || state.kind === "none") return state;
  } catch {
    // as below
  }
  return { kind: "ended", because: "its file is damaged" };
}
