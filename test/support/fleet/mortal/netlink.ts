/** The kernel's socket, where the process may die in the middle of a load and around a swap. */
import { loadNetlink as loadReal, loadRouteNetlink as loadRealRoute } from "@fleetban/agent/drivers/netlink";
import type { NetlinkSocket, OpenNetlink } from "@fleetban/agent/firewall/ipset/netlink-socket";
import { COMMAND } from "@fleetban/agent/firewall/ipset/protocol";
import { isPoint, mayDie } from "./point.ts";

/** Of a netlink message: behind the length, the command's byte. */
const COMMAND_AT = 4;
/** A message of more than a few entries. */
const LOAD_BYTES = 500;
const LOAD_MESSAGES = 3;

export async function loadNetlink(): Promise<OpenNetlink> {
  const open = await loadReal();
  return (group) => mortal(open(group));
}

export const loadRouteNetlink = loadRealRoute;

function mortal(socket: NetlinkSocket): NetlinkSocket {
  let loads = 0;
  return {
    ...socket,
    send(message) {
      const isSwap = message[COMMAND_AT] === (COMMAND.swap & 0xff);
      if (isSwap) mayDie("swap-unsent");
      socket.send(message);
      if (isSwap) mayDie("swapped");
      if (!isPoint("batch-half") || message[COMMAND_AT] !== (COMMAND.add & 0xff) || message.length < LOAD_BYTES) return;
      loads += 1;
      if (loads === LOAD_MESSAGES) mayDie("batch-half");
    },
  };
}
