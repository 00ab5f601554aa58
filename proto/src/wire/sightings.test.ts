import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyPrefix } from "../model/listing.fixture.ts";
import { parsePrefix } from "../model/prefix.ts";
import { actOf, type Sighting } from "../model/sighting.ts";
import { Sighting as SightingMessage } from "./gen/fleetban/v1/fleet.ts";
import { sightingFromWire, sightingToWire } from "./sightings.ts";
import { WireError } from "./wire-error.ts";

const parts = {
  address: anyPrefix,
  kind: fc.constantFrom("ban", "prolong", "restored", "unban-by-hand"),
  source: fc.constantFrom("fail2ban", "log", "socket", "import"),
  jail: fc.stringMatching(/^[a-z0-9-]{0,64}$/),
  protocol: fc.constantFrom("tcp", "udp", "all", ""),
  ports: fc.constantFrom("", "ssh", "http,https", "22:24"),
  failures: fc.nat(),
  bannedAtMs: fc.nat(2_000_000_000_000),
  banSeconds: fc.integer({ min: -1, max: 31_536_000 }),
  banCount: fc.nat(),
  recordedAtMs: fc.nat(2_000_000_000_000),
  act: fc.stringMatching(/^[0-9a-f]{16}$/),
  evidence: fc.uint8Array({ maxLength: 1024 }).map((bytes) => Buffer.from(bytes)),
} as const;
const sighting: fc.Arbitrary<Sighting> = fc.record(parts, { noNullPrototype: true });

const BAN: Sighting = {
  address: parsePrefix("192.0.2.7"),
  kind: "ban",
  source: "fail2ban",
  jail: "sshd",
  protocol: "tcp",
  ports: "ssh",
  failures: 5,
  bannedAtMs: 1_790_000_000_000,
  banSeconds: 600,
  banCount: 1,
  recordedAtMs: 1_790_000_000_100,
  act: actOf({ jail: "sshd", address: parsePrefix("192.0.2.7"), bannedAtMs: 1_790_000_000_000 }),
  evidence: new Uint8Array(0),
};

test("a sighting comes back from the wire", () => {
  fc.assert(
    fc.property(sighting, (value) => {
      fc.pre(value.address !== "0.0.0.0/0" && value.address !== "::/0"); // length 0 means one address
      const bytes = SightingMessage.encode(sightingToWire(value)).finish();
      assert.deepEqual(sightingFromWire(SightingMessage.decode(bytes)), value);
    }),
  );
});

test("text too long or with control characters is cut and cleaned, not refused", () => {
  const message = {
    ...sightingToWire(BAN),
    jail: `ss\u0000hd${"x".repeat(100)}`,
    protocol: "tcp\n",
    evidence: Buffer.alloc(2_000),
    failures: 0xffffffff,
  };
  const value = sightingFromWire(message);
  assert.equal(value.jail, `sshd${"x".repeat(59)}`);
  assert.equal(value.protocol, "tcp");
  assert.equal(value.evidence.length, 1_024);
  assert.equal(value.failures, 2_147_483_647);
});

test("without address, kind, source or act it is no sighting", () => {
  const good = sightingToWire(BAN);
  const broken: readonly [object, RegExp][] = [
    [{ kind: 0 }, /unknown kind 0/],
    [{ kind: 99 }, /unknown kind 99/],
    [{ source: 0 }, /unknown source 0/],
    [{ address: Buffer.alloc(5) }, /5 bytes/],
    [{ length: 24 }, /host bits/],
    [{ act: Buffer.alloc(7) }, /7 bytes where 8/],
  ];
  for (const [change, fault] of broken) {
    assert.throws(
      () => sightingFromWire({ ...good, ...change }),
      (error) => {
        assert.ok(error instanceof WireError);
        assert.match(error.message, fault);
        return true;
      },
    );
  }
});
