/**
 * Keeps the rules over the sets: made when all that they except is there, looked at again and again, put back when gone.
 *
 * No rules are wanted (undefined) until exempt has been mirrored and the machine knows its own addresses: until then
 * whatever the boot load or a former run left is not touched (invariant 4, PROTOCOL rule 3).
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Backend, DenyRule, RuleState } from "./backend.ts";
import type { Drift } from "./drift.ts";
import type { Exclusive } from "./exclusive.ts";

export type KeptRuleState = RuleState | { readonly kind: "waiting"; readonly what: string };

export interface RuleKeeper {
  /** Brings the kernel's rules to what is wanted now. Resolves when they are, or it has been tried. */
  sync(): Promise<void>;
  /** `areSuspect`: somebody seems to have changed them. */
  check(areSuspect: boolean): Promise<void>;
  isRuled(setName: string): boolean;
  /** As last seen. */
  state(): KeptRuleState;
  /** As they were last put into the kernel. */
  ensured(): readonly DenyRule[] | undefined;
}

export interface RuleKeeperParts {
  readonly backend: Pick<Backend, "ensureRules" | "ruleState">;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  readonly drift: Drift;
  readonly exclusive: Exclusive;
  readonly wanted: () => readonly DenyRule[] | undefined;
  readonly waitsFor: () => string;
  readonly onEnsured: () => void;
}

/** Without a hint: where the kernel notifies nobody, a look starts programs. */
const LOOK_EVERY_MS = 10_000;
/**
 * After a failure, twice as long after each further one: a set that is being made anew is there in a second, what else is
 * missing (iptables, a module) rarely comes by itself.
 */
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;

export function createRuleKeeper(parts: RuleKeeperParts): RuleKeeper {
  const { backend, clock, log, drift } = parts;
  let ensured: readonly DenyRule[] | undefined;
  let state: RuleState | undefined;
  let lookedAtMs = clock.monotonicMs();
  let failures = 0;
  let retryAtMs = Number.NEGATIVE_INFINITY;

  async function ensure(rules: readonly DenyRule[]): Promise<void> {
    try {
      await parts.exclusive(() => backend.ensureRules(rules));
      if (failures > 0) log.info("firewall.rules_recovered", { rules: rules.length, failures });
      failures = 0;
      ensured = rules;
      state = { kind: "present" };
      parts.onEnsured();
    } catch (error) {
      if (failures === 0) log.error("firewall.rules_failed", { error });
      retryAtMs = clock.monotonicMs() + Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** failures);
      failures += 1;
      ensured = undefined;
      state = { kind: "missing", what: error instanceof Error ? error.message : String(error) };
    }
  }

  async function sync(): Promise<void> {
    const wanted = parts.wanted();
    if (wanted !== undefined && JSON.stringify(wanted) !== JSON.stringify(ensured)) await ensure(wanted);
  }

  async function look(): Promise<void> {
    const rules = ensured ?? [];
    lookedAtMs = clock.monotonicMs();
    const seen = await backend.ruleState(rules);
    state = seen;
    if (seen.kind === "present") return;
    drift.rules += 1;
    log.warn("firewall.rules_gone", { what: seen.what });
    await ensure(rules);
  }

  return {
    sync,
    async check(areSuspect) {
      if (failures > 0 && clock.monotonicMs() < retryAtMs) return;
      await sync();
      if (ensured !== undefined && (areSuspect || clock.monotonicMs() - lookedAtMs >= LOOK_EVERY_MS)) await look();
    },
    isRuled: (name) => ensured?.some((rule) => setsNamed(rule).includes(name)) ?? false,
    state: () => state ?? { kind: "waiting", what: parts.waitsFor() },
    ensured: () => ensured,
  };
}

function setsNamed({ deny, except }: DenyRule): readonly string[] {
  return [deny, ...except].flatMap((pair) => [pair[4], pair[6]]);
}
