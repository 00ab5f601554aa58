/**
 * Who has logged in by SSH and is still there, out of what the machine writes down itself. Pure.
 *
 * Two sources: logind's session files, which PAM makes after a login has succeeded, and lines of sshd that say "Accepted",
 * each with the port of its connection, that must be open still. Whoever merely connects, or types passwords, is in neither.
 */
import { isSingle, type Prefix, prefixFromBytes, tryParsePrefix } from "@fleetban/proto/model/prefix";

export interface Login {
  readonly address: Prefix;
  /** The client's. */
  readonly port: number;
}

/**
 * Time, host, then sshd itself, as syslogs write them: what other programs write of strangers stands behind their own names.
 */
const TIME = String.raw`(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-]\d\d:?\d\d))`;
const ACCEPTED = new RegExp(
  String.raw`^${TIME} [^\s:[\]]{1,255} sshd(?:-session)?\[\d{1,10}\]: ` +
    String.raw`Accepted [\w/-]+ for \S+ from (\S+) port (\d{1,5}) ssh2(?:: .*)?$`,
);
const ESTABLISHED = "01";

/** Of one file in /run/systemd/sessions. A host name in place of an address is left out: who resolves it decides what it means. */
export function peerOfSession(text: string): Prefix | undefined {
  const facts = new Map(text.split("\n").map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]));
  if (!/^sshd/.test(facts.get("SERVICE") ?? "") || facts.get("STATE") === "closing") return undefined;
  return readPeer(facts.get("REMOTE_HOST") ?? "");
}

/** Whole lines only. */
export function loginsIn(text: string): readonly Login[] {
  return text.split("\n").flatMap((line) => {
    const [, host = "", port = ""] = ACCEPTED.exec(line.trimEnd()) ?? [];
    const address = readPeer(host);
    return address === undefined ? [] : [{ address, port: Number(port) }];
  });
}

/** The far ends of open connections, as `loginKey` writes them, from /proc/net/tcp and tcp6. */
export function openPeers(text: string): ReadonlySet<string> {
  const peers = new Set<string>();
  for (const line of text.split("\n")) {
    const [, , remote = "", state] = line.trim().split(/\s+/);
    const [address = "", port = ""] = remote.split(":");
    if (state !== ESTABLISHED || !/^(?:[0-9A-F]{8}|[0-9A-F]{32})$/i.test(address)) continue;
    peers.add(loginKey({ address: prefixFromBytes(bytesOfWords(address)), port: Number.parseInt(port, 16) }));
  }
  return peers;
}

export function loginKey({ address, port }: Login): string {
  return `${address} ${port}`;
}

/** Words of the machine's (little-endian) byte order. */
function bytesOfWords(hex: string): Uint8Array {
  const words = hex.match(/.{8}/g) ?? [];
  return Uint8Array.from(
    words.flatMap((word) => (word.match(/../g) ?? []).reverse()).map((byte) => Number.parseInt(byte, 16)),
  );
}

function readPeer(text: string): Prefix | undefined {
  const peer = tryParsePrefix(text.replace(/%.*$/, "")); // fe80::1%eth0
  return peer !== undefined && isSingle(peer) ? peer : undefined;
}
