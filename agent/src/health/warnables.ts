/**
 * The bad states an agent can be in, as a table: one code everywhere (status, /readyz, metrics, the coordinator).
 *
 * A state counts only after it has lasted `visibleAfterMs`, and not while one that causes it is there, so that a blip
 * or a consequence raises no alarm.
 */
import type { Clock } from "@fleetban/kit/clock";

export interface WarnableText {
  readonly severity: "error" | "warn";
  /** /readyz answers 503 while it is there. */
  readonly blocksReady: boolean;
  readonly dependsOn: readonly WarnableCode[];
  readonly visibleAfterMs: number;
  /** What is wrong, what it costs, what to do. */
  readonly text: string;
}

export type WarnableCode = keyof typeof WARNABLES;

const AT_ONCE = 0;

export const WARNABLES = {
  "not-enrolled": {
    severity: "error",
    blocksReady: true,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "this server is in no fleet; it shares and receives nothing; run `fleetban-agent enroll TOKEN`",
  },
  "coordinator-unreachable": {
    severity: "warn",
    blocksReady: false,
    dependsOn: ["not-enrolled", "certificate-refused"],
    visibleAfterMs: 60_000, // a coordinator's restart and the agents' jitter take up to 30 s
    text: "no coordinator answers; known listings stay in force, news waits in the spool; check the network and the coordinator",
  },
  "certificate-refused": {
    severity: "error",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "the coordinator refuses this agent; nothing is shared or received; an operator revoked it, or enroll anew",
  },
  "certificate-ends-soon": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "the certificate ends within 7 days and was not renewed; after that the agent is cut off; check the link",
  },
  "not-mirrored": {
    severity: "error",
    blocksReady: true,
    dependsOn: ["not-enrolled"],
    visibleAfterMs: AT_ONCE,
    text: "the lists have not arrived yet; the kernel stays as it was; wait for the first snapshot",
  },
  "mirror-differs": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "three mirrors within an hour differed from the ledger; each was replaced by a snapshot; look for faulty memory or disk",
  },
  "mirror-unsaved": {
    severity: "error",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: 5_000,
    text: "the mirror can't be written; a restart would begin with an older list; make room on the disk of the data directory",
  },
  "backend-unavailable": {
    severity: "error",
    blocksReady: true,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "the kernel's sets or rules can't be used; nothing is enforced; see the log for what is missing",
  },
  "trial-ended": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "a trial of enforcing has ended unconfirmed; this server counts and drops nothing, though agent.yaml names a backend; try again with `fleetban-agent enforce --for 10m` and confirm",
  },
  "rules-missing": {
    severity: "error",
    blocksReady: true,
    dependsOn: ["backend-unavailable", "not-mirrored"],
    visibleAfterMs: 5_000, // reconcile repairs within 2 s
    text: "the rules that look at the sets are gone and could not be put back; listed addresses come in; see the log",
  },
  "entries-refused": {
    severity: "warn",
    blocksReady: false,
    dependsOn: ["backend-unavailable"],
    visibleAfterMs: 10_000,
    text: "the kernel refused entries; those addresses come in; see the log for which and why",
  },
  "list-unsupported": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "a list has an effect or reach that this agent does not know; it is not enforced; upgrade the agent",
  },
  "spool-unwritable": {
    severity: "error",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "sightings can't be made durable; they wait in their sources; make room on the disk of the data directory",
  },
  "spool-near-full": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "the spool is over three quarters full; when it is full the oldest sightings are dropped; reconnect the coordinator",
  },
  "fail2ban-unreachable": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: 60_000, // a restart of fail2ban takes seconds
    text: "fail2ban's socket does not answer; bans still arrive by the action, but none is lifted; is fail2ban running?",
  },
  "jail-left-out": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: 10_000, // fail2ban sets its jails up one by one
    text: "a jail does not run the fleetban action; its bans are found minutes late, by asking; add `fleetban` to that jail's `action`",
  },
  "jail-unheard": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "a jail's ban did not come by the hand-off file though it runs the action; its bans are found minutes late; see fail2ban.log for why the action fails, and whether its `handoff` is fail2ban.handoff of agent.yaml",
  },
  "jail-deaf": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "the log that a jail reads is gone or stands still while other jails' logs grow; it bans nobody; correct that jail's `logpath`, or see why its service logs nothing",
  },
  "log-unreadable": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: 10_000, // while it is rotated there is none
    text: "fail2ban.log can't be read; bans are found minutes late, by asking; correct fail2ban.log in agent.yaml, or see who removed the file",
  },
  "log-silent": {
    severity: "warn",
    blocksReady: false,
    dependsOn: ["log-unreadable"],
    visibleAfterMs: AT_ONCE,
    text: "fail2ban's newest ban is not in the log that is followed; bans are found minutes late; set fail2ban's loglevel to NOTICE or INFO, and fail2ban.log in agent.yaml to its logtarget",
  },
  "login-from-listed": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "somebody logged in from an address that the fleet's lists deny; it is let through here because of that, and cut off everywhere else; see who it is: `fleetban explain ADDRESS`, then pardon or allow it",
  },
  "clock-skewed": {
    severity: "warn",
    blocksReady: false,
    dependsOn: [],
    visibleAfterMs: AT_ONCE,
    text: "this machine's clock is over a minute off; times are corrected, logs are hard to compare; start a time service",
  },
} as const satisfies Record<string, Omit<WarnableText, "dependsOn"> & { dependsOn: readonly string[] }>;

export interface RaisedWarnable {
  readonly code: WarnableCode;
  readonly sinceMs: number;
  /** Facts of this case: which jail, which list. */
  readonly detail: string;
}

export interface Warnables {
  set(code: WarnableCode, bad: boolean, detail?: string): void;
  /** What is visible now, in the order of the table. */
  raised(): readonly RaisedWarnable[];
}

export function createWarnables(clock: Clock, onChange: () => void = () => undefined): Warnables {
  const bad = new Map<WarnableCode, { sinceMs: number; monotonicMs: number; detail: string }>();
  const visible = (code: WarnableCode): boolean => {
    const state = bad.get(code);
    return state !== undefined && clock.monotonicMs() - state.monotonicMs >= WARNABLES[code].visibleAfterMs;
  };
  return {
    set(code, isBad, detail = "") {
      const before = bad.get(code);
      if (isBad === (before !== undefined) && (before?.detail ?? "") === detail) return;
      if (!isBad) bad.delete(code);
      else {
        const { sinceMs, monotonicMs } = before ?? { sinceMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
        bad.set(code, { sinceMs, monotonicMs, detail });
      }
      onChange();
    },
    raised() {
      const shown = (Object.keys(WARNABLES) as WarnableCode[]).filter(visible);
      const caused = (code: WarnableCode) =>
        (WARNABLES[code].dependsOn as readonly WarnableCode[]).some((other) => bad.has(other));
      return shown
        .filter((code) => !caused(code))
        .map((code) => ({ code, sinceMs: bad.get(code)?.sinceMs ?? 0, detail: bad.get(code)?.detail ?? "" }));
    },
  };
}
