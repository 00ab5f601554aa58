/** Looks each second at what the rooms say of themselves, and raises or clears the warnables that follow from it. */
import type { Clock } from "@fleetban/kit/clock";
import type { Prefix } from "@fleetban/proto/model/prefix";
import type { Firewall } from "../firewall/firewall.ts";
import { REFUSED_CODES } from "../link/link.ts";
import type { LinkState } from "../link/state.ts";
import type { Mirror } from "../mirror/mirror.ts";
import type { MirrorFile } from "../mirror/mirror-file.ts";
import type { Spool } from "../spool/spool.ts";
import type { Warnables } from "./warnables.ts";

const LOOK_EVERY_MS = 1_000;
const NEAR_FULL_SHARE = 0.75;
const SKEWED_MS = 60_000;
const DIFFERED_WITHIN_MS = 3_600_000;
const DIFFERED_TIMES = 3;

export interface WatchedRooms {
  readonly clock: Clock;
  readonly warnables: Warnables;
  readonly mirror: Mirror;
  readonly file: Pick<MirrorFile, "unsaved">;
  readonly firewall: Pick<Firewall, "state">;
  readonly spool: Spool;
  /** Moments (monotonic) at which a mirror differed; old ones are dropped here. */
  readonly differed: number[];
  readonly link: () => LinkState;
  readonly identity: () => unknown;
  readonly skewMs: () => number;
  /** From where somebody is logged in, and that the fleet's lists deny. */
  readonly listedLogins: () => readonly Prefix[];
}

export async function watchStates(rooms: WatchedRooms, signal: AbortSignal): Promise<never> {
  for (;;) {
    look(rooms);
    await rooms.clock.sleep(LOOK_EVERY_MS, signal);
  }
}

export function look(rooms: WatchedRooms): void {
  const { clock, warnables, mirror, firewall, spool, differed } = rooms;
  const link = rooms.link();
  const { rules, lists, failure, refusedEntries } = firewall.state();
  const unsaved = [...rooms.file.unsaved()];
  while (differed[0] !== undefined && clock.monotonicMs() - differed[0] > DIFFERED_WITHIN_MS) differed.shift();
  const cause = link.kind === "waiting" ? link.cause : "";
  const { bytes, maxBytes } = spool.fill;
  const unmirrored = mirror.lists().filter(({ held }) => held === undefined);

  warnables.set("not-enrolled", rooms.identity() === undefined);
  warnables.set("coordinator-unreachable", link.kind === "waiting", cause);
  warnables.set("certificate-refused", link.kind === "waiting" && REFUSED_CODES.includes(link.code), cause);
  warnables.set(
    "not-mirrored",
    mirror.lists().length === 0 || unmirrored.length > 0,
    namesOf(unmirrored.map(({ list }) => list)),
  );
  warnables.set("mirror-differs", differed.length >= DIFFERED_TIMES);
  warnables.set("mirror-unsaved", unsaved.length > 0, unsaved[0]?.[1] ?? "");
  warnables.set("backend-unavailable", failure !== undefined, failure ?? "");
  warnables.set("rules-missing", rules.kind !== "present", rules.kind === "present" ? "" : rules.what);
  warnables.set("entries-refused", refusedEntries > 0, refusedEntries > 0 ? `${refusedEntries}` : "");
  const unsupported = lists.filter((list) => list.unsupported && list.name !== "probe");
  warnables.set("list-unsupported", unsupported.length > 0, namesOf(unsupported));
  warnables.set("spool-near-full", spool.size > 0 && bytes > maxBytes * NEAR_FULL_SHARE);
  const logins = rooms.listedLogins();
  warnables.set("login-from-listed", logins.length > 0, logins.join(", "));
  warnables.set("clock-skewed", Math.abs(rooms.skewMs()) > SKEWED_MS);
}

function namesOf(lists: readonly { readonly name: string }[]): string {
  return lists.map(({ name }) => name).join(", ");
}
