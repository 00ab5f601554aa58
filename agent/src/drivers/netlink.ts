/**
 * Netlink sockets for netfilter and for routes, made of libc's own calls by koffi: no code in C and no process.
 *
 * koffi is loaded when the first socket is wanted (2.3 MB of machine code, 9 MB of memory): an agent in dry-run never pays for it, and where
 * it can't be loaded the caller gets the reason and may take another way. Numbers are little-endian, as on every machine
 * the agent is built for.
 */
import { NetlinkError, type NetlinkSocket, type OpenNetlink } from "../firewall/ipset/netlink-socket.ts";

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
const SOL_NETLINK = 270;
const NETLINK_GET_STRICT_CHK = 12;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const MSG_DONTWAIT = 0x40;
const EINTR = 4;
const EAGAIN = 11;

/** A refusal carries the refused message (under 64 KB) behind its own header. */
const RECEIVE_BYTES = 128 * 1024;

/** The kernel answers before `send` returns; this only bounds what must not happen. */
const RECEIVE_TIMEOUT_SECONDS = 1;

const ON = new Uint8Array([1, 0, 0, 0]);

interface Libc {
  socket(family: number, type: number, protocol: number): number;
  bind(socket: number, address: Uint8Array, length: number): number;
  setsockopt(socket: number, level: number, option: number, value: Uint8Array, length: number): number;
  send(socket: number, message: Uint8Array, length: number, flags: number): number;
  recv(socket: number, into: Uint8Array, length: number, flags: number): number;
  close(socket: number): number;
  errno(): number;
}

/** Rejects where koffi can't be loaded. */
export async function loadNetlink(): Promise<OpenNetlink> {
  const libc = await loadLibc();
  return (group) => openSocket(libc, NETLINK_NETFILTER, group);
}

/** For routes and rules. A dump is filtered by the kernel, where it can (since Linux 4.20). */
export async function loadRouteNetlink(): Promise<OpenNetlink> {
  const libc = await loadLibc();
  return (group) => openSocket(libc, NETLINK_ROUTE, group);
}

async function loadLibc(): Promise<Libc> {
  const { default: koffi } = await import("koffi");
  const library = koffi.load(null); // libc is in every process
  return {
    socket: library.func("int socket(int, int, int)"),
    bind: library.func("int bind(int, const void *, uint32_t)"),
    setsockopt: library.func("int setsockopt(int, int, int, const void *, uint32_t)"),
    send: library.func("intptr_t send(int, const void *, size_t, int)"),
    recv: library.func("intptr_t recv(int, void *, size_t, int)"),
    close: library.func("int close(int)"),
    errno: () => koffi.errno(),
  };
}

function openSocket(libc: Libc, protocol: number, group: number): NetlinkSocket {
  const checked = (call: string, result: number) => {
    if (result < 0) throw new NetlinkError(call, libc.errno());
    return result;
  };
  let socket = checked("socket", libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol));
  const close = () => {
    if (socket >= 0) libc.close(socket);
    socket = -1; // the number may soon be somebody else's
  };
  try {
    const address = addressOf(group);
    const timeout = timevalOf(RECEIVE_TIMEOUT_SECONDS);
    checked("bind", libc.bind(socket, address, address.length));
    checked("setsockopt", libc.setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length));
    if (protocol === NETLINK_ROUTE) libc.setsockopt(socket, SOL_NETLINK, NETLINK_GET_STRICT_CHK, ON, ON.length);
  } catch (error) {
    close();
    throw error;
  }
  const received = new Uint8Array(RECEIVE_BYTES);
  const receive = (flags: number) => {
    for (;;) {
      const length = libc.recv(socket, received, received.length, flags);
      if (length >= 0) return received.subarray(0, length);
      const errno = libc.errno();
      if (errno === EAGAIN) return undefined;
      if (errno !== EINTR) throw new NetlinkError("recv", errno);
    }
  };
  return {
    send: (message) => void checked("send", libc.send(socket, message, message.length, 0)),
    receive: () => receive(0),
    poll: () => receive(MSG_DONTWAIT),
    close,
  };
}

/** struct sockaddr_nl: family, padding, port (0 = the kernel chooses), mask of groups. */
function addressOf(group: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(8, group === 0 ? 0 : 1 << (group - 1), true);
  return new Uint8Array(view.buffer);
}

function timevalOf(seconds: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigInt64(0, BigInt(seconds), true);
  return new Uint8Array(view.buffer);
}
