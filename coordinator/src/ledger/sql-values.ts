/** Between the database's values and the model's: nulls, Dates and `/32` end here. */
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { type UnixSeconds, unixSeconds } from "@fleetban/proto/model/time";
import { isOpenEnded, OPEN_ENDED } from "@fleetban/proto/model/until";

/** Postgres writes a single `cidr` with its length, and IPv4 within ::/96 in dots; else as the model does. */
export function prefixFromSql(text: string): Prefix {
  const isV6 = text.includes(":");
  if (isV6 && text.includes(".")) return parsePrefix(hexForm(text));
  const whole = isV6 ? "/128" : "/32";
  return (text.endsWith(whole) ? text.slice(0, -whole.length) : text) as Prefix;
}

/** Column values as `extract(epoch from until)` gives them, null = open-ended. */
export function untilFromSql(seconds: number | null): UnixSeconds {
  return seconds === null ? OPEN_ENDED : unixSeconds(Math.floor(seconds));
}

export function untilToSql(until: UnixSeconds): number | null {
  return isOpenEnded(until) ? null : until;
}

/** 0 = none. */
export function momentFromSql(seconds: number | null): UnixSeconds {
  return unixSeconds(Math.floor(seconds ?? 0));
}

export function momentToSql(moment: UnixSeconds): number | null {
  return moment === 0 ? null : moment;
}

/** For `bytea` in an array, which the driver would take for one `bytea`. */
export function bytesToSql(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")}`;
}

/** `::1.2.3.4/128` → `::102:304/128`. */
function hexForm(text: string): string {
  return text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)/, (_, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
}
