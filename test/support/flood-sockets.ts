/** UDP sockets by libc's own calls: many datagrams a call (sendmmsg), and sockets that nobody reads. */
import { createRequire } from "node:module";

export interface FloodSockets {
  /** Sends to one address from one source. */
  openSender(source: string, address: string, port: number): number;
  /** In the namespace that the process is in. What it has no room for is dropped. */
  openDeaf(port: number): number;
  sendBatch(socket: number): void;
}

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const DATAGRAMS = 16;
const PAYLOAD_BYTES = 18; // with its headers the smallest frame of an Ethernet

export function openFloodSockets(): FloodSockets {
  const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
  const library = koffi.load(null);
  const socket = library.func("int socket(int, int, int)");
  const bind = library.func("int bind(int, const void *, uint32_t)");
  const connect = library.func("int connect(int, const void *, uint32_t)");
  const setsockopt = library.func("int setsockopt(int, int, int, const void *, uint32_t)");
  const sendmmsg = library.func("int sendmmsg(int, void *, uint32_t, int)");

  function checked(call: string, result: number): number {
    if (result < 0) throw new Error(`${call} failed with error ${koffi.errno()}`);
    return result;
  }

  const iovec = koffi.struct({ base: "void *", length: "size_t" });
  const message = koffi.struct({
    ...{ name: "void *", nameLength: "uint32_t", parts: "void *", partCount: "size_t" },
    ...{ control: "void *", controlLength: "size_t", flags: "int", sentBytes: "uint32_t" },
  });
  const payload = koffi.alloc("uint8_t", PAYLOAD_BYTES);
  const part = koffi.alloc(iovec, 1);
  koffi.encode(part, iovec, { base: payload, length: PAYLOAD_BYTES });
  const one = { name: null, nameLength: 0, parts: part, partCount: 1, control: null, controlLength: 0 };
  const batch = koffi.alloc(message, DATAGRAMS);
  const all = Array.from({ length: DATAGRAMS }, () => ({ ...one, flags: 0, sentBytes: 0 }));
  koffi.encode(batch, koffi.array(message, DATAGRAMS), all);

  return {
    openSender(source, address, port) {
      const opened = checked("socket", socket(AF_INET, SOCK_DGRAM, 0));
      checked("bind", bind(opened, addressOf(source, 0), ADDRESS_BYTES));
      checked("connect", connect(opened, addressOf(address, port), ADDRESS_BYTES));
      return opened;
    },
    openDeaf(port) {
      const opened = checked("socket", socket(AF_INET, SOCK_DGRAM, 0));
      checked("setsockopt", setsockopt(opened, SOL_SOCKET, SO_RCVBUF, new Uint8Array(4), 4)); // the least there is
      checked("bind", bind(opened, addressOf("0.0.0.0", port), ADDRESS_BYTES));
      return opened;
    },
    sendBatch: (opened) => void sendmmsg(opened, batch, DATAGRAMS, 0),
  };
}

const ADDRESS_BYTES = 16;

/** struct sockaddr_in: family, port, address, padding. */
function addressOf(address: string, port: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(ADDRESS_BYTES));
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  for (const [index, byte] of address.split(".").entries()) view.setUint8(4 + index, Number(byte));
  return new Uint8Array(view.buffer);
}
