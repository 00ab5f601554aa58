/**
 * The rules over our sets, by iptables: compared as a whole and replaced as a whole, a table in one transaction, so that
 * there is no moment without them (invariant 4). v4 and v6 are one body over a table of programs.
 */
import type { Log } from "@fleetban/kit/log";
import { type RunProgramParts, runProgram } from "@fleetban/kit/run-program";
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule, RuleState } from "../backend.ts";
import { BackendError, remedyFor } from "../backend-error.ts";
import { chooseFlavor, FAMILIES, type Flavor, flavorsPresent, rulesProgram } from "./flavor.ts";
import { type Replacement, removalText, restoreText } from "./restore-text.ts";
import { type ChainPart, layoutOf, type Table } from "./rule-layout.ts";
import type { EntryHook } from "./rule-text.ts";
import { rulesFailure } from "./rules-failure.ts";
import { type ChainPlace, chainsIn, differenceFrom, readTableState, type TableState } from "./table-state.ts";

export interface Rules {
  ensure(rules: readonly DenyRule[]): Promise<void>;
  state(rules: readonly DenyRule[]): Promise<RuleState>;
  /** The parts that were last made or looked for. */
  parts(): readonly ChainPart[];
  /** Says what it removed. */
  remove(): Promise<readonly string[]>;
}

export interface RulesParts extends RunProgramParts {
  readonly hook: EntryHook;
  readonly log: Log;
  /** nftables' own count of changes; undefined = not known. It spares starting programs to see that nothing changed. */
  readonly generation: () => number | undefined;
}

/** For other programs' hold on the rules. */
const WAIT = ["-w", "5"] as const;
const PRESENT: RuleState = { kind: "present" };

export function createRules(parts: RulesParts): Rules {
  let flavor: Flavor | undefined;
  /** How this machine's iptables spells what we gave it, where it differs from our spelling. */
  const spelled = new Map<string, readonly string[]>();
  /** The last look that found everything present. */
  let seen: { readonly generation: number; readonly wanted: string } | undefined;
  /** False where the kernel lacks what an answer needs: then what is to be rejected is dropped. */
  let canReject = true;
  let layout: readonly ChainPart[] = [];
  /** Chains of the layout at which chains of another one were last looked for. */
  let swept: string | undefined;

  function layoutFor(rules: readonly DenyRule[], family: Family): readonly ChainPart[] {
    layout = layoutOf(canReject ? rules : rules.map((rule) => ({ ...rule, verdict: "drop" })), family, parts.hook);
    return layout;
  }

  const difference = (part: ChainPart, state: TableState) =>
    differenceFrom({ ...part, lines: spelled.get(keyOf(part)) ?? part.lines }, state);

  async function ensureFamily(chosen: Flavor, family: Family, wanted: readonly ChainPart[]): Promise<void> {
    const read = createReader(parts, chosen, family);
    const differing: Replacement[] = [];
    for (const part of wanted) {
      const before = await read(part);
      if (difference(part, before) !== undefined) differing.push({ part, before });
    }
    if (differing.length === 0) return;
    await restore(parts, chosen, family, restoreText(differing));
    const readAnew = createReader(parts, chosen, family);
    for (const { part } of differing) {
      const { lines } = await readAnew(part);
      if (lines.length === part.lines.length) spelled.set(keyOf(part), lines);
    }
  }

  async function ensureAll(chosen: Flavor, rules: readonly DenyRule[]): Promise<void> {
    for (const family of FAMILIES) await ensureFamily(chosen, family, layoutFor(rules, family));
    const places = layout.map(placeOf).join();
    if (swept === places) return;
    for (const family of FAMILIES) await removeFrom(parts, chosen, family, layout); // of another hook or verdict
    swept = places;
  }

  return {
    parts: () => layout,
    async ensure(rules) {
      flavor ??= await chooseFlavor(parts);
      try {
        await ensureAll(flavor, rules);
      } catch (error) {
        if (!canReject || !rules.some(({ verdict }) => verdict === "reject") || !isLacking(error)) throw error;
        canReject = false;
        await ensureAll(flavor, rules);
        parts.log.warn("firewall.reject_not_possible", { instead: "drop", error });
      }
    },
    async state(rules) {
      flavor ??= await chooseFlavor(parts);
      const generation = flavor === "-nft" ? parts.generation() : undefined;
      const wanted = JSON.stringify(rules);
      if (generation !== undefined && seen?.generation === generation && seen.wanted === wanted) return PRESENT;
      for (const family of FAMILIES) {
        const read = createReader(parts, flavor, family);
        for (const part of layoutFor(rules, family)) {
          const what = difference(part, await read(part));
          if (what !== undefined) return { kind: "missing", what: `${what} (IPv${family})` };
        }
      }
      seen = generation === undefined ? undefined : { generation, wanted };
      return PRESENT;
    },
    async remove() {
      const removed: string[] = [];
      for (const { flavor: present, saved } of await flavorsPresent(parts)) {
        if (chainsIn(saved).length === 0) continue;
        for (const family of FAMILIES) removed.push(...(await removeFrom(parts, present, family, [])));
      }
      return removed;
    },
  };
}

function keyOf(part: ChainPart): string {
  return [placeOf(part), ...part.lines].join("\n");
}

function placeOf({ table, chain }: ChainPlace): string {
  return `${table} ${chain}`;
}

/** A table, a target or a match that this kernel doesn't have. */
function isLacking(error: unknown): boolean {
  return error instanceof BackendError && (error.code === "kernel-refused" || error.code === "kernel-sets-missing");
}

/** Our chains, except these. */
async function removeFrom(
  parts: RulesParts,
  flavor: Flavor,
  family: Family,
  kept: readonly ChainPlace[],
): Promise<readonly string[]> {
  const removed: string[] = [];
  const keptPlaces = new Set(kept.map(placeOf));
  for (const place of chainsIn(await run(parts, [rulesProgram(flavor, family, "-save")]))) {
    if (keptPlaces.has(placeOf(place))) continue;
    const state = await createReader(parts, flavor, family)(place);
    await restore(parts, flavor, family, removalText(place, state));
    removed.push(`chain ${place.chain} of ${rulesProgram(flavor, family, "")} in ${place.table}`);
  }
  return removed;
}

/** Lists each table once. */
function createReader(parts: RulesParts, flavor: Flavor, family: Family): (place: ChainPlace) => Promise<TableState> {
  const texts = new Map<Table, string>();
  return async ({ table, chain }) => {
    const text = texts.get(table) ?? (await run(parts, [rulesProgram(flavor, family, ""), ...WAIT, "-t", table, "-S"]));
    texts.set(table, text);
    return readTableState(text, chain);
  };
}

async function restore(parts: RulesParts, flavor: Flavor, family: Family, input: string): Promise<void> {
  await run(parts, [rulesProgram(flavor, family, "-restore"), ...WAIT, "--noflush"], input);
}

async function run(parts: RulesParts, command: readonly [string, ...string[]], input = ""): Promise<string> {
  const ran = await runProgram(parts, command, { input });
  if (ran.end.kind === "exited" && ran.end.code === 0) return ran.stdout;
  const code = rulesFailure(ran);
  const said = ran.stderr.trim() || JSON.stringify(ran.end);
  throw new BackendError(code, `program ${command[0]}: ${said}`, remedyFor(code));
}
