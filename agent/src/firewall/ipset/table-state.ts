/** What `iptables -S` says of our chain in a table, and how it differs from what is wanted. */
import { type ChainPart, TABLES, type Table } from "./rule-layout.ts";

export const CHAIN = "fleetban-in";

export interface TableState {
  readonly hasChain: boolean;
  /** Without the `-A fleetban-in` before them. */
  readonly lines: readonly string[];
  /** Rules that do nothing but jump to our chain; `place` 0 = the first of its built-in chain. */
  readonly jumps: readonly Jump[];
}

export interface Jump {
  readonly hook: string;
  readonly place: number;
}

const RULE = /^-A (\S+) (.*)$/;

export function readTableState(text: string): TableState {
  const all = text.split("\n");
  const lines: string[] = [];
  const jumps: Jump[] = [];
  const places = new Map<string, number>();
  for (const line of all) {
    const [, chain = "", rule = ""] = RULE.exec(line) ?? [];
    if (chain === CHAIN) lines.push(rule);
    const place = places.get(chain) ?? 0;
    places.set(chain, place + 1);
    if (rule === `-j ${CHAIN}`) jumps.push({ hook: chain, place });
  }
  return { hasChain: all.includes(`-N ${CHAIN}`), lines, jumps };
}

/** What is missing, in words; undefined = all is as wanted. */
export function differenceFrom({ table, hooks, lines: wanted }: ChainPart, state: TableState): string | undefined {
  const { hasChain, lines, jumps } = state;
  if (!hasChain) return `chain ${CHAIN} in ${table}`;
  for (const hook of hooks) {
    const ofHook = jumps.filter((jump) => jump.hook === hook);
    if (ofHook.length === 0) return `jump from ${table} ${hook} to ${CHAIN}`;
    if (ofHook.length > 1 || ofHook[0]?.place !== 0) return `jump to ${CHAIN} as the first rule of ${table} ${hook}`;
  }
  const place = wanted.findIndex((line, index) => line !== lines[index]);
  if (place >= 0) return `rule ${place + 1} of ${CHAIN} in ${table}: ${wanted[place]}`;
  return lines.length > wanted.length
    ? `${CHAIN} in ${table} without a rule too many: ${lines[wanted.length]}`
    : undefined;
}

/** Tables that hold our chain, of what `iptables-save` prints. */
export function tablesWithChain(saved: string): readonly Table[] {
  const sections = saved.split(/^(?=\*)/m).filter((section) => section.includes(`\n:${CHAIN} `));
  return TABLES.filter((table) => sections.some((section) => section.startsWith(`*${table}\n`)));
}
