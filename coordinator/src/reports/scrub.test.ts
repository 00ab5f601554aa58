import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import fc from "fast-check";
import { isFreeOf, ownWords, scrub } from "./scrub.ts";

const ATTACKER = "203.0.113.9";
const words = ownWords(["web1.example.org", "db-3", "mail.shop.example.net"], ["Acme GmbH"]);

const LINES: readonly (readonly [line: string, scrubbed: string])[] = [
  [
    "Nov 21 15:00:01 web1 sshd[4711]: Failed password for invalid user alice from 203.0.113.9 port 51234 ssh2",
    "Nov 21 15:00:01 [host] sshd: Failed password for invalid user [user] from 203.0.113.9 port 51234 ssh2",
  ],
  [
    "2026-11-21T15:00:01.123456+01:00 gateway7 sshd-session[1]: Failed password for root from 203.0.113.9 port 1 ssh2",
    "2026-11-21T15:00:01.123456+01:00 [host] sshd-session: Failed password for [user] from 203.0.113.9 port 1 ssh2",
  ],
  ["Invalid user two words from 203.0.113.9 port 22", "Invalid user [user] from 203.0.113.9 port 22"],
  [
    "Connection closed by authenticating user bob 203.0.113.9 port 4 [preauth]",
    "Connection closed by authenticating user [user] 203.0.113.9 port 4 [preauth]",
  ],
  [
    "User carol from 203.0.113.9 not allowed because not listed in AllowUsers",
    "User [user] from 203.0.113.9 not allowed because not listed in AllowUsers",
  ],
  [
    "pam_unix(sshd:auth): authentication failure; logname= uid=0 tty=ssh ruser= rhost=203.0.113.9  user=dave",
    "pam_unix(sshd:auth): authentication failure; logname= uid=0 tty=ssh ruser= rhost=203.0.113.9 user=[user]",
  ],
  [
    "imap-login: Disconnected: (auth failed, 1 attempts in 2 secs): user=<eve@example.org>, method=PLAIN, rip=203.0.113.9, lip=198.51.100.4, session=<abcDEF0123/xyz>",
    "imap-login: Disconnected: (auth failed, 1 attempts in 2 secs): user=[user], method=PLAIN, rip=203.0.113.9, lip=[address], session=[hidden]",
  ],
  [
    "postfix/smtpd[99]: warning: host-9.isp.example[203.0.113.9]: SASL LOGIN authentication failed: sasl_username=frank@shop.example.net",
    "postfix/smtpd: warning: [host][203.0.113.9]: SASL LOGIN authentication failed: sasl_username=[user]",
  ],
  [
    "NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 <gina@example.net>: Relay access denied; from=<a@b.example> to=<gina@example.net> proto=ESMTP helo=<web1>",
    "NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 <[email]>: Relay access denied; from=<[email]> to=<[email]> proto=ESMTP helo=[host]",
  ],
  [
    '203.0.113.9 - hank [21/Nov/2026:15:00:01 +0000] "GET /wp-login.php?user=hank&pwd=secret HTTP/1.1" 200 12 "https://shop.example.org/x" "Mozilla/5.0"',
    '203.0.113.9 - - [21/Nov/2026:15:00:01 +0000] "GET /wp-login.php?[query] HTTP/1.1" 200 12 "[url]" "Mozilla/5.0"',
  ],
  [
    'user "ida": password mismatch, client: 203.0.113.9, server: intranet.example.org, request: "GET / HTTP/1.1", host: "intranet"',
    'user [user]: password mismatch, client: 203.0.113.9, server: [host], request: "GET / HTTP/1.1", host: [host]',
  ],
  [
    "Access denied for user 'jan'@'203.0.113.9' (using password: YES)",
    "Access denied for user [user] (using password: [hidden]",
  ],
  ["File does not exist: /home/karl/www/xmlrpc.php", "File does not exist: /home/[user]/www/xmlrpc.php"],
  [
    "kernel: IN=eth0 MAC=00:11:22:33:44:55:66:77:88:99:aa:bb:08:00 SRC=203.0.113.9 DST=198.51.100.4 DPT=23",
    "kernel: IN=eth0 MAC=[address] SRC=203.0.113.9 DST=[address] DPT=23",
  ],
  ["ec2-198-51-100-4.compute.example.com asked DB-3 of acme gmbh", "[host] asked [host] of [host]"],
  ["from 2001:DB8:0:0::1 and ::ffff:203.0.113.9 at 15:00:01", "from [address] and 203.0.113.9 at 15:00:01"],
];

test("what the lines of known programs tell of others is taken out, the attack stays", () => {
  for (const [line, wanted] of LINES) {
    assert.equal(scrub(line, { reported: parsePrefix(ATTACKER), words }), wanted);
  }
});

test("no line gives away a name, an address or an account of ours, wherever it stands", () => {
  const name = fc.constantFrom(
    "web1.example.org",
    "WEB1",
    "db-3",
    "Mail.Shop.Example.net",
    "acme gmbh",
    "x.shop.example.net",
  );
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4().map((text) => text.replaceAll(".", "-")),
  );
  const noise = fc.stringMatching(/^[ a-z:=<>"'()[\]/.,-]{0,12}$/);
  fc.assert(
    fc.property(noise, name, noise, address, noise, (a, own, b, other, c) => {
      fc.pre(parsePrefix(ATTACKER) !== other);
      const scrubbed = scrub(`${a} ${own} ${b} ${other} ${c}`, { reported: parsePrefix(ATTACKER), words });
      if (scrubbed === undefined) return;
      assert.ok(isFreeOf(scrubbed, words), scrubbed);
      if (other.length > 4) assert.ok(!scrubbed.includes(other), scrubbed);
    }),
    { numRuns: 2_000 },
  );
});

test("a text that still holds a word of ours is dropped whole", () => {
  assert.equal(scrub("xxacme gmbhxx", { reported: parsePrefix(ATTACKER), words }), undefined);
});

test("names are looked for whole, without their domain, and the domain alone", () => {
  assert.deepEqual(ownWords(["Web1.example.org."], []), ["web1.example.org", "example.org", "web1"]);
});
