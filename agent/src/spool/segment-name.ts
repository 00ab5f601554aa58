/**
 * Names of segment files: `segment-000000000007`, and `segment-000000000009-replaces-000000000008` for one that holds
 * all that was worth keeping of the segments up to that number. The name decides, so that a replacement is in force
 * with its rename and not a moment before.
 */

export interface SegmentName {
  readonly name: string;
  readonly number: number;
  /** Segments up to this number are void; 0 = none. */
  readonly replaces: number;
}

const PATTERN = /^segment-(\d{12})(?:-replaces-(\d{12}))?$/;

export function segmentName(number: number, replaces = 0): string {
  return replaces === 0 ? `segment-${digits(number)}` : `segment-${digits(number)}-replaces-${digits(replaces)}`;
}

/** In order, the void ones apart. */
export function sortSegments(names: readonly string[]): { valid: readonly SegmentName[]; replaced: readonly string[] } {
  const found = names.map(parse).filter((segment) => segment !== undefined);
  const voidUpTo = Math.max(0, ...found.map((segment) => segment.replaces));
  const valid = found.filter((segment) => segment.number > voidUpTo).sort((a, b) => a.number - b.number);
  return { valid, replaced: found.filter((segment) => segment.number <= voidUpTo).map((segment) => segment.name) };
}

function parse(name: string): SegmentName | undefined {
  const [, number, replaces = "0"] = PATTERN.exec(name) ?? [];
  return number === undefined ? undefined : { name, number: Number(number), replaces: Number(replaces) };
}

function digits(number: number): string {
  return String(number).padStart(12, "0");
}
