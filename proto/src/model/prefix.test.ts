import assert from "node:assert/strict";
import { isIP, SocketAddress } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { anyPrefix, poolPrefix } from "./listing.fixture.ts";
import {
  bytesOf,
  comparePrefixes,
  covers,
  familyOf,
  isSingle,
  lengthOf,
  type Prefix,
  parsePrefix,
  partsOf,
  prefixFromBytes,
  prefixOf,
  tryParsePrefix,
  widen,
} from "./prefix.ts";
import { PrefixError } from "./prefix-refusal.ts";

const CANONICAL: readonly [string, string][] = [
  ["192.0.2.7", "192.0.2.7"],
  ["192.0.2.7/32", "192.0.2.7"],
  ["192.0.2.0/24", "192.0.2.0/24"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["::FFFF:c000:207", "192.0.2.7"],
  ["::ffff:192.0.2.0/120", "192.0.2.0/24"],
  ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:0db8::0001", "2001:db8::1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:db8::/128", "2001:db8::"],
  ["::", "::"],
  ["::/0", "::/0"],
  ["1::", "1::"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::1.2.3.4", "::102:304"],
];

const REFUSED: readonly [string, RegExp][] = [
  ["", /empty/],
  [" 192.0.2.7", /blanks/],
  ["192.0.2.7\n", /blanks/],
  ["192.0.2.07", /leading zeros/],
  ["010.0.0.1", /octal/],
  ["0x7f.0.0.1", /hexadecimal/],
  ["0x7f000001", /hexadecimal/],
  ["2130706433", /short form/],
  ["1.2.3", /short form/],
  ["10/8", /short form/],
  ["1.2.3.4.5", /no address/],
  ["1.2.3.256", /above 255/],
  ["176.221.42.3254.174.140.223", /above 255/],
  ["1.2.3.-4", /no address/],
  ["192.0.2.1-192.0.2.9", /range/],
  ["192.0.2.7:22", /port/],
  ["[2001:db8::1]:22", /brackets/],
  ["fe80::1%eth0", /zone id/],
  ["１９２.0.2.7", /look like digits/],
  ["192.0.2.٧", /look like digits/],
  ["192.0.2.0/", /no number/],
  ["192.0.2.0/+24", /no number/],
  ["192.0.2.0/255.255.255.0", /netmask/],
  ["192.0.2.0/024", /leading zero/],
  ["192.0.2.0/24/24", /two lengths/],
  ["10.0.0.0/33", /length must be 0 to 32; write 10\.0\.0\.0 for one address/],
  ["2001:db8::/129", /0 to 128/],
  ["192.0.2.7/24", /host bits; write 192\.0\.2\.0\/24 for the network or 192\.0\.2\.7/],
  ["2001:db8::1/64", /host bits; write 2001:db8::\/64/],
  ["::ffff:192.0.2.7/24", /IPv4-mapped/],
  ["::ffff:0:0/95", /wider than the IPv4-mapped range/],
  ["1::2::3", /:: twice/],
  [":1::2", /no address/],
  ["1:2:3:4:5:6:7:8:9", /no address/],
  ["1:2:3:4:5:6:7", /no address/],
  ["12345::", /no address/],
  ["2001:db8::g", /no address/],
  ["::1.2.3", /no address/],
  ["::1.2.3.4:5", /no address/],
  ["::01.2.3.4", /no address/],
  ["ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/1280", /too long/],
];

test("a prefix has one canonical text, whatever way it was written", () => {
  for (const [written, canonical] of CANONICAL) assert.equal(parsePrefix(written), canonical);
});

test("every other spelling is refused with its reason and a remedy", () => {
  for (const [text, reason] of REFUSED) {
    assert.throws(
      () => parsePrefix(text),
      (error) => {
        assert.ok(error instanceof PrefixError);
        assert.match(error.message, reason);
        assert.equal(error.code, "bad-prefix");
        assert.ok(error.hint !== undefined && error.hint.length > 10);
        return true;
      },
    );
    assert.equal(tryParsePrefix(text), undefined);
  }
});

test("what is accepted without a length is what net.isIP accepts, zone ids apart", () => {
  const spelled = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4Extended(),
    fc.stringMatching(/^[0-9a-fA-F:.x%]{0,24}$/),
    fc
      .array(fc.constantFrom("0", "1", "ff", "00", "256", ":", "::", ".", "1.2.3.4", "ffff"), { maxLength: 17 })
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(spelled, (text) => {
      assert.equal(tryParsePrefix(text) !== undefined, isIP(text) !== 0 && !text.includes("%"), text);
    }),
    { numRuns: 5_000 },
  );
});

test("a parsed address is the one that the system reads from the same text", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const family = isIP(text) === 4 ? "ipv4" : "ipv6";
      const { address } = new SocketAddress({ address: text, family });
      const prefix = parsePrefix(text);
      assert.equal(prefix, parsePrefix(address));
      assert.equal(isSingle(prefix), true);
    }),
  );
});

test("printing and parsing are each other's inverse, by text, by numbers and by bytes", () => {
  fc.assert(
    fc.property(anyPrefix, (prefix) => {
      assert.equal(parsePrefix(prefix), prefix);
      assert.equal(prefixOf(partsOf(prefix)), prefix);
      assert.equal(prefixFromBytes(bytesOf(prefix), lengthOf(prefix)), prefix);
      assert.equal(partsOf(prefix).length, lengthOf(prefix));
      assert.equal(partsOf(prefix).family, familyOf(prefix));
    }),
  );
});

test("mapped bytes are IPv4, and bytes with host bits or of another size are refused", () => {
  assert.equal(prefixFromBytes(Buffer.from("00000000000000000000ffffc0000207", "hex")), "192.0.2.7");
  assert.equal(prefixFromBytes(Buffer.from("00000000000000000000ffffc0000200", "hex"), 120), "192.0.2.0/24");
  assert.throws(() => prefixFromBytes(Buffer.from("c0000207", "hex"), 24), /host bits/);
  assert.throws(() => prefixFromBytes(Buffer.from("c0000207", "hex"), 33), /length must be/);
  assert.throws(() => prefixFromBytes(Buffer.from("c00002", "hex")), /3 bytes: must be 4 or 16/);
});

test("a network covers itself and what is inside, and nothing of the other family", () => {
  fc.assert(
    fc.property(anyPrefix, fc.nat(128), (prefix, length) => {
      const wider = widen(prefix, Math.min(length, lengthOf(prefix)));
      assert.ok(covers(wider, prefix));
      assert.equal(covers(prefix, wider), prefix === wider);
      assert.equal(covers(parsePrefix("::/0"), prefix), familyOf(prefix) === 6);
      assert.equal(covers(parsePrefix("0.0.0.0/0"), prefix), familyOf(prefix) === 4);
    }),
  );
  assert.equal(covers(parsePrefix("192.0.2.0/24"), parsePrefix("192.0.3.1")), false);
  assert.equal(widen(parsePrefix("2001:db8:1:2:3::4"), 64), "2001:db8:1:2::/64");
  assert.equal(widen(parsePrefix("192.0.2.0/24"), 28), "192.0.2.0/24");
});

test("the order is that of the bytes, IPv4 first, a wider network before what is inside", () => {
  const key = (prefix: Prefix) =>
    `${familyOf(prefix)} ${Buffer.from(bytesOf(prefix)).toString("hex")} ${String(lengthOf(prefix)).padStart(3, "0")}`;
  fc.assert(
    fc.property(fc.oneof(anyPrefix, poolPrefix), fc.oneof(anyPrefix, poolPrefix), (first, second) => {
      assert.equal(
        Math.sign(comparePrefixes(first, second)),
        key(first) < key(second) ? -1 : key(first) > key(second) ? 1 : 0,
      );
    }),
  );
  assert.ok(comparePrefixes(parsePrefix("192.0.2.0/24"), parsePrefix("192.0.2.0/25")) < 0);
  assert.ok(comparePrefixes(parsePrefix("2001:db8::1"), parsePrefix("2001:db8::2")) < 0);
});
