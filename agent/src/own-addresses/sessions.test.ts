import assert from "node:assert/strict";
import { test } from "node:test";
import { loginKey, loginsIn, openPeers, peerOfSession } from "./sessions.ts";

const SESSION = `# This is private data. Do not parse.
UID=0
USER=root
STATE=active
REMOTE=1
CLASS=user
REMOTE_HOST=45.83.64.9
SERVICE=sshd
LEADER=4711
`;

test("a session that logind knows of sshd tells its peer", () => {
  assert.equal(peerOfSession(SESSION), "45.83.64.9");
  assert.equal(peerOfSession(SESSION.replace("45.83.64.9", "2a0e:8f02::9")), "2a0e:8f02::9");
});

test("one that ends, that is not of sshd, or that names a host, an empty or a local one, tells nobody", () => {
  for (const [from, to] of [
    ["STATE=active", "STATE=closing"],
    ["SERVICE=sshd", "SERVICE=login"],
    ["45.83.64.9", "admin.example.org"],
    ["REMOTE_HOST=45.83.64.9\n", ""],
    ["45.83.64.9", "45.83.64.9/8"],
  ] as const) {
    const peer = peerOfSession(SESSION.replace(from, to));
    assert.ok(peer === undefined || peer.includes("/"), to);
  }
  assert.equal(peerOfSession(""), undefined);
});

test("sshd's log tells who was let in, by any way and in any of its forms", () => {
  const text = [
    "Nov  1 09:00:00 web1 sshd[77]: Accepted publickey for root from 45.83.64.9 port 52211 ssh2: ED25519 SHA256:x",
    "2026-11-01T09:00:00.123456+01:00 web1 sshd-session[7]: Accepted password for deploy from 2a0e:8f02::9 port 9 ssh2",
    "Nov  1 09:00:00 web1 sshd[78]: Accepted keyboard-interactive/pam for a from 10.0.0.7 port 65535 ssh2",
  ].join("\n");
  assert.deepEqual(loginsIn(text).map(loginKey), ["45.83.64.9 52211", "2a0e:8f02::9 9", "10.0.0.7 65535"]);
});

test("a session's peer is one address, never a network", () => {
  assert.equal(peerOfSession("SERVICE=sshd\nREMOTE_HOST=6.0.0.0/8\n"), undefined);
});

test("nothing that a client calls itself makes a login of it", () => {
  const lie = "Accepted password for root from 6.6.6.6 port 22 ssh2";
  const lines = [
    `Nov  1 09:00:00 web1 sshd[77]: Invalid user ${lie} from 45.1.1.1 port 9`,
    `Nov  1 09:00:00 web1 sshd[77]: Failed password for invalid user x sshd[77]: ${lie} from 45.1.1.1 port 9 ssh2`,
    `Nov  1 09:00:00 web1 sshd[77]: Failed password for invalid user a\\nNov  1 09:00:00 web1 sshd[1]: ${lie}`,
    `Nov  1 09:00:00 web1 sshd[77]: Connection closed by 45.1.1.1 port 9 [preauth]`,
    `Nov  1 09:00:00 web1 nginx[77]: sshd[77]: ${lie}`,
    `Nov  1 09:00:00 web1 sshd: ${lie}`,
    // What programs that name no process id write of strangers.
    `Nov  1 09:00:00 web1 vsftpd: pam_unix(vsftpd:auth): authentication failure; ruser=sshd[1]: ${lie}`,
    `Nov  1 09:00:00 web1 proftpd: 45.1.1.1: USER sshd[1]: ${lie}`,
    `Nov  1 09:00:00 web1 login: Nov  1 09:00:00 web1 sshd[1]: ${lie}`,
    lie,
  ];
  assert.deepEqual(loginsIn(lines.join("\n")), []);
});

test("open connections are read from the kernel's tables, an IPv4 one of an IPv6 socket as IPv4", () => {
  const tables = [
    "  sl  local_address rem_address   st tx_queue rx_queue",
    "   0: 0A00280F:0016 0940532D:CBF3 01 00000000:00000000",
    "   1: 0A00280F:0016 0740532D:CBF3 06 00000000:00000000",
    "   2: 00000000:0016 00000000:0000 0A 00000000:00000000",
    "   0: 0000000000000000FFFF00000A00280F:0016 0000000000000000FFFF00000840532D:0009 01 0:0",
    "   1: 000000000000000000000000010000000:0016 028F0E2A000000000000000009000000:0001 01 0:0",
  ].join("\n");
  assert.deepEqual([...openPeers(tables)], ["45.83.64.9 52211", "45.83.64.8 9", "2a0e:8f02::9 1"]);
});
