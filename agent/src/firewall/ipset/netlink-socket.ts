/** The kernel's netfilter socket as a part that is handed in; the driver makes it of libc's calls. */
import { FleetbanError } from "@fleetban/kit/errors";

export interface NetlinkSocket {
  /** The kernel has worked on the message when this returns, and its answer lies ready. */
  send(message: Uint8Array): void;
  /** The next datagram, valid until the next call. Waits a second at most; undefined = none came. */
  receive(): Uint8Array | undefined;
  /** As `receive`, without waiting. */
  poll(): Uint8Array | undefined;
  close(): void;
}

/** `group` = whose notifications to get; 0 = none, only answers. */
export type OpenNetlink = (group: number) => NetlinkSocket;

/** Errors of the socket calls themselves; what the kernel says in an answer is no exception. */
export class NetlinkError extends FleetbanError {
  readonly call: string;
  readonly errno: number;

  constructor(call: string, errno: number) {
    super("netlink-failed", `netlink: ${call} failed with error ${errno}`);
    this.call = call;
    this.errno = errno;
  }
}
