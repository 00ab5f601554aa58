/** `80,443,8000-8100` → ranges of ports, as a list's reach has them. */
import type { PortRange } from "@fleetban/proto/model/listing";

const PORT_MAX = 65_535;
const RANGES_MAX = 15; // what one iptables multiport match takes

/** Sorted; undefined = it is no such text. */
export function parsePorts(text: string): PortRange[] | undefined {
  const ranges = text.split(",").map((part) => {
    const [, first, last = first] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    return { first: Number(first ?? Number.NaN), last: Number(last ?? Number.NaN) };
  });
  const isRight = ({ first, last }: PortRange) => first >= 1 && last >= first && last <= PORT_MAX;
  if (ranges.length > RANGES_MAX || !ranges.every(isRight)) return undefined;
  return ranges.sort((a, b) => a.first - b.first);
}

export function portsProblem(text: string): string | undefined {
  if (parsePorts(text) !== undefined) return undefined;
  return `must be ports and ranges like 22 or 80,443,8000-8100, ${RANGES_MAX} at most`;
}
