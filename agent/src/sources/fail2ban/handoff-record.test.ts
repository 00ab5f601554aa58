import assert from "node:assert/strict";
import { test } from "node:test";
import type { HandoffFields } from "./handoff-framing.ts";
import { seenInHandoff } from "./handoff-record.ts";

const NOW = 1_795_000_700_000;

function seen(changes: { [field: number]: string } = {}, isAsked = () => false) {
  const fields = [
    "FLEETBAN2",
    "ban",
    "sshd",
    "192.0.2.1",
    "192.0.2.1",
    "inet4",
    "1795000000.55",
    "600",
    "3",
    "2",
    "0",
    "tcp",
    "ssh,2222",
    "",
    "END",
  ];
  const changed: HandoffFields = Object.assign([...fields], changes);
  return seenInHandoff(changed, NOW, isAsked);
}

test("a ban is read with its float time", () => {
  assert.deepEqual(seen(), {
    ...{ kind: "ban", source: "fail2ban", address: "192.0.2.1", jail: "sshd", bannedAtMs: 1_795_000_000_550 },
    ...{ banSeconds: 600, failures: 3, banCount: 2, atMs: NOW, protocol: "tcp", ports: "ssh,2222", evidence: "" },
  });
});

test("a record of an earlier fleetban's action says no ports", () => {
  const short: HandoffFields = [
    "FLEETBAN1",
    "ban",
    "sshd",
    "192.0.2.1",
    "",
    "inet4",
    "1795000000",
    "600",
    "3",
    "1",
    "0",
    "END",
  ];
  const { kind, ports, evidence } = seenInHandoff(short, NOW, () => false) as {
    kind: string;
    ports: string;
    evidence: string;
  };
  assert.deepEqual([kind, ports, evidence], ["ban", "", ""]);
});

test("all ports are no ports, and a tag that was not filled in is none", () => {
  const portsOf = (text: string) => (seen({ 12: text }) as { ports: string }).ports;
  assert.deepEqual(["0:65535", "all", "<port>", "http,https"].map(portsOf), ["", "", "", "http,https"]);
});

test("evidence that was cut within a character ends before it", () => {
  const cut = Buffer.from("failure of ö").subarray(0, -1).toString();
  assert.equal((seen({ 13: cut }) as { evidence: string }).evidence, "failure of ");
});

test("a restored ban is told apart, a ban for ever has no length", () => {
  assert.equal(seen({ 10: "1" }).kind, "restored");
  assert.equal((seen({ 7: "-1" }) as { banSeconds: number }).banSeconds, -1);
});

test("a tag that an old fail2ban leaves as it is written is unknown, not junk", () => {
  const { kind, banCount } = seen({ 9: "<bancount>", 10: "<restored>" }) as { kind: string; banCount: number };
  assert.deepEqual([kind, banCount], ["ban", 0]);
});

for (const id of ["", "foo;bar", "a b", "1.2.3", "10.0.0.1/33", "192.0.2.01", "１９２.0.2.1"]) {
  test(`the id ${JSON.stringify(id)} is junk`, () => {
    assert.deepEqual(seen({ 3: id, 5: "None" }), { kind: "junk", source: "fail2ban" });
  });
}

test("a record without a time is junk", () => {
  assert.equal(seen({ 6: "" }).kind, "junk");
  assert.equal(seen({ 6: "soon" }).kind, "junk");
});

test("an unban that the agent asked for is not a person's", () => {
  const unban = seen({ 1: "unban" }, () => true);
  assert.deepEqual([unban.kind, (unban as { cause: string }).cause], ["end", "asked"]);
});

test("start, flush and stop tell nothing, nor does a word of a later version", () => {
  for (const word of ["start", "flush", "stop", "tomorrow"]) assert.equal(seen({ 1: word }).kind, "nothing");
});

test("a jail's name of quotes and shell syntax comes through, cut to 64 between characters", () => {
  const nasty = `we"ird $(touch x)\n\`id\` 'q'`;
  assert.equal((seen({ 2: nasty }) as { jail: string }).jail, nasty);
  assert.equal((seen({ 2: "j".repeat(200) }) as { jail: string }).jail, "j".repeat(64));
  assert.equal((seen({ 2: `${"j".repeat(63)}😀` }) as { jail: string }).jail, "j".repeat(63));
});
