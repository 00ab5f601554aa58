/**
 * The one rule over our sets, by iptables: it is compared as a whole and replaced as a whole, in one transaction, so that
 * there is no moment without it (invariant 4). v4 and v6 are one body over a table of programs.
 */
import { type RunProgramParts, runProgram } from "@fleetban/kit/run-program";
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule, RuleState } from "../backend.ts";
import { BackendError, remedyFor } from "../backend-error.ts";
import { chooseFlavor, FAMILIES, type Flavor, flavorsPresent, rulesProgram } from "./flavor.ts";
import { CHAIN, chainLines, removalText, restoreText, TABLE } from "./rule-text.ts";
import { rulesFailure } from "./rules-failure.ts";
import { differenceFrom, readTableState, type TableState } from "./table-state.ts";

export interface Rules {
  ensure(rules: readonly DenyRule[]): Promise<void>;
  state(rules: readonly DenyRule[]): Promise<RuleState>;
  /** Says what it removed. */
  remove(): Promise<readonly string[]>;
}

export interface RulesParts extends RunProgramParts {
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

  const difference = (wanted: readonly string[], table: TableState) =>
    differenceFrom(spelled.get(wanted.join("\n")) ?? wanted, table);

  async function ensureFamily(chosen: Flavor, family: Family, wanted: readonly string[]): Promise<void> {
    const before = await readTable(parts, chosen, family);
    if (difference(wanted, before) === undefined) return;
    await restore(parts, chosen, family, restoreText(wanted, before.jumps.length));
    const after = await readTable(parts, chosen, family);
    if (after.lines.length === wanted.length) spelled.set(wanted.join("\n"), after.lines);
  }
  return {
    async ensure(rules) {
      flavor ??= await chooseFlavor(parts);
      for (const family of FAMILIES) await ensureFamily(flavor, family, chainLines(rules, family));
    },
    async state(rules) {
      flavor ??= await chooseFlavor(parts);
      const generation = flavor === "-nft" ? parts.generation() : undefined;
      const wanted = JSON.stringify(rules);
      if (generation !== undefined && seen?.generation === generation && seen.wanted === wanted) return PRESENT;
      for (const family of FAMILIES) {
        const what = difference(chainLines(rules, family), await readTable(parts, flavor, family));
        if (what !== undefined) return { kind: "missing", what: `${what} (IPv${family})` };
      }
      seen = generation === undefined ? undefined : { generation, wanted };
      return PRESENT;
    },
    async remove() {
      const removed: string[] = [];
      for (const { flavor: present, saved } of await flavorsPresent(parts)) {
        if (saved.includes(`:${CHAIN} `)) removed.push(...(await removeFrom(parts, present)));
      }
      return removed;
    },
  };
}

async function removeFrom(parts: RulesParts, flavor: Flavor): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const family of FAMILIES) {
    const { hasChain, jumps } = await readTable(parts, flavor, family);
    if (!hasChain) continue;
    await restore(parts, flavor, family, removalText(jumps.length));
    removed.push(`chain ${CHAIN} of ${rulesProgram(flavor, family, "")} in ${TABLE}`);
  }
  return removed;
}

async function readTable(parts: RulesParts, flavor: Flavor, family: Family): Promise<TableState> {
  return readTableState(await run(parts, [rulesProgram(flavor, family, ""), ...WAIT, "-t", TABLE, "-S"]));
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
