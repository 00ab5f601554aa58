/**
 * Tells soon after somebody else changed nftables' rules, tables or sets, whatever program it was.
 *
 * The kernel counts every change; a timer asks for the count, 0.01 ms. Listening to notifications instead would bring
 * back each element that we load. Own changes are counted and not told.
 */
import type { Clock, Timer } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { NetlinkSocket } from "../ipset/netlink-socket.ts";
import { generationIn } from "../ipset/nft-notice.ts";
import type { MessageWriter } from "./message-writer.ts";
import { FLAG, MESSAGE } from "./protocol.ts";

const LOOK_EVERY_MS = 500;

export interface ChangeWatchParts {
  readonly socket: NetlinkSocket;
  readonly writer: MessageWriter;
  readonly clock: Pick<Clock, "timer">;
  readonly log: Log;
}

export interface ChangeWatch {
  /** After each change of our own. */
  seen(): void;
  watch(onChange: () => void): { close(): void };
  close(): void;
}

export function createChangeWatch({ socket, writer, clock, log }: ChangeWatchParts): ChangeWatch {
  const listeners = new Set<() => void>();
  let timer: Timer | undefined;
  let generation = read();

  function read(): number | undefined {
    writer.start();
    writer.begin(MESSAGE.getGeneration, FLAG.request, 0);
    writer.end();
    socket.send(writer.finish());
    const datagram = socket.receive();
    return datagram === undefined ? undefined : generationIn(datagram);
  }

  function look(): void {
    timer = clock.timer(LOOK_EVERY_MS, look);
    try {
      const now = read();
      if (now === generation) return;
      generation = now;
      for (const listener of listeners) listener();
    } catch (error) {
      log.warn("firewall.rule_watch_ended", { error }); // the caller's own checks go on
      close();
    }
  }

  function close(): void {
    timer?.cancel();
    timer = undefined;
    listeners.clear();
  }

  return {
    /** A change by somebody else in the same moment is found by the caller's own checks. */
    seen() {
      generation = read();
    },
    watch(onChange) {
      listeners.add(onChange);
      timer ??= clock.timer(LOOK_EVERY_MS, look);
      return {
        close() {
          listeners.delete(onChange);
          if (listeners.size === 0) close();
        },
      };
    },
    close,
  };
}
