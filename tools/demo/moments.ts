/** When things happened, told by those to whom they happened: fail2ban's log, and packets that came in or did not. */
import { readFile } from "node:fs/promises";
import { eventually } from "../../test/support/fleet/eventually.ts";
import type { FleetFail2ban } from "../../test/support/fleet/fail2ban.ts";
import { isDropped } from "../../test/support/fleet/packets.ts";
import type { FleetServer } from "../../test/support/fleet/server.ts";
import { NEIGHBOR } from "./stage.ts";

const BAN = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d),(\d{3}) .*\[sshd\] Ban (\S+)$/gm;
const NEIGHBORS_PACKETS = 20;

/** When fail2ban wrote that it bans; it writes so before it runs any action. */
export async function banMoment({ banLog }: FleetFail2ban, address: string, deadlineMs: number): Promise<number> {
  return await eventually(
    `fail2ban bans ${address}`,
    async () => {
      const bans = [...(await readFile(banLog, "utf8")).matchAll(BAN)];
      const ban = bans.find(([, , , , , , , , banned]) => banned === address);
      return ban && momentOf(ban.slice(1, 8).map(Number));
    },
    deadlineMs,
  );
}

function momentOf([
  year = 0,
  month = 1,
  day = 0,
  hour = 0,
  minute = 0,
  second = 0,
  milli = 0,
]: readonly number[]): number {
  return new Date(year, month - 1, day, hour, minute, second, milli).getTime();
}

/** The last moment at which a packet of `source` came in; resolves when a neighbor's have gone on for a while without any. */
export async function lastPacketMoment(
  { host, receiver }: FleetServer,
  source: string,
  deadlineMs: number,
): Promise<number> {
  const dropped = () => isDropped(receiver, source, NEIGHBOR, NEIGHBORS_PACKETS);
  await eventually(`server ${host.name} drops ${source}`, dropped, deadlineMs);
  return receiver.lastAtMs(source);
}

/** The moment at which packets of `source` come in again. */
export async function nextPacketMoment(
  { host, receiver }: FleetServer,
  source: string,
  deadlineMs: number,
): Promise<number> {
  const before = receiver.count(source);
  await eventually(`packets of ${source} reach server ${host.name}`, () => receiver.count(source) > before, deadlineMs);
  return receiver.lastAtMs(source);
}
