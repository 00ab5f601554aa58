/** What `iptables -t mangle -S` says of our chain, and how it differs from what is wanted. */
import { CHAIN, HOOK } from "./rule-text.ts";

export interface TableState {
  readonly hasChain: boolean;
  readonly lines: readonly string[];
  /** Places of the jumps to our chain in the hook, 0 = first. */
  readonly jumps: readonly number[];
}

export function readTableState(text: string): TableState {
  const all = text.split("\n");
  const hook = all.filter((line) => line.startsWith(`-A ${HOOK} `));
  return {
    hasChain: all.includes(`-N ${CHAIN}`),
    lines: all.filter((line) => line.startsWith(`-A ${CHAIN} `)),
    jumps: hook.flatMap((line, place) => (line === `-A ${HOOK} -j ${CHAIN}` ? [place] : [])),
  };
}

/** What is missing, in words; undefined = all is as wanted. */
export function differenceFrom(wanted: readonly string[], { hasChain, lines, jumps }: TableState): string | undefined {
  if (!hasChain) return `chain ${CHAIN}`;
  if (jumps.length === 0) return `jump from ${HOOK} to ${CHAIN}`;
  if (jumps.length > 1 || jumps[0] !== 0) return `jump to ${CHAIN} as the first rule of ${HOOK}`;
  const place = wanted.findIndex((line, index) => line !== lines[index]);
  if (place >= 0) return `rule ${place + 1} of ${CHAIN}: ${wanted[place]}`;
  return lines.length > wanted.length ? `${CHAIN} without a rule too many: ${lines[wanted.length]}` : undefined;
}
