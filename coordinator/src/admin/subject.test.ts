import assert from "node:assert/strict";
import { test } from "node:test";
import type { FleetbanError } from "@fleetban/kit/errors";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { type Act, pardonedPrefix, parseSubject, refuseProtected } from "./subject.ts";

function refusal(act: Act, text: string): string {
  try {
    parseSubject(act, text);
  } catch (error) {
    const { code, message, hint } = error as FleetbanError;
    return `${code}: ${message} | ${hint}`;
  }
  return "taken";
}

test("what can't be banned is refused with the reason and what to write instead", () => {
  const cases: readonly [string, RegExp][] = [
    ["0.0.0.0/0", /^too-wide: prefix 0\.0\.0\.0\/0: is the whole internet; the widest that can be banned is \/8 \|/],
    ["::/0", /^too-wide: prefix ::\/0: is the whole internet; the widest that can be banned is \/19 \|/],
    ["8.0.0.0/7", /^too-wide: .* wider than any one act may be; .* \/8 \| .*such as 8\.0\.0\.0\/8/],
    ["2600::/12", /^too-wide: .* \/19 \|/],
    ["10.0.0.1", /^protected-range: prefix 10\.0\.0\.1: is inside 10\.0\.0\.0\/8, .*private use/],
    ["192.0.0.0/16", /^protected-range: prefix 192\.0\.0\.0\/16: contains 192\.0\.0\.0\/24, /],
    ["203.0.113.9", /^protected-range: .*documentation/],
    ["127.0.0.0/8", /^protected-range: prefix 127\.0\.0\.0\/8: is a protected range/],
    ["fe80::1", /^protected-range: .*link local/],
    ["1.2.3", /^bad-prefix: prefix 1\.2\.3: is a short form; write all four numbers/],
    ["1.2.3.4/33", /^bad-prefix: prefix 1\.2\.3\.4\/33: length must be 0 to 32; write 1\.2\.3\.4 for one address/],
    ["1.2.3.4/24", /^bad-prefix: .*host bits; write 1\.2\.3\.0\/24/],
    ["", /^bad-prefix: .*is empty/],
  ];
  for (const [text, expected] of cases) assert.match(refusal("ban", text), expected);
});

test("a wide network is taken, and marked as one that wants --yes", () => {
  const isWide = (text: string) => parseSubject("ban", text).isWide;
  assert.deepEqual(["8.0.0.0/8", "8.8.0.0/15", "8.8.0.0/16", "8.8.8.8"].map(isWide), [true, true, false, false]);
  assert.deepEqual(["2a00::/19", "2a00::/31", "2a00::/32", "2a00::1"].map(isWide), [true, true, false, false]);
});

test("allowing and pardoning have their own floor for IPv6, and say that protected ranges need neither", () => {
  assert.match(refusal("allow", "2600::/20"), /^too-wide: .*can be allowed is \/24/);
  assert.match(refusal("unban", "10.1.2.3"), /\| fleetban never lists it; if fail2ban does, put it into `ignoreip`/);
});

test("one IPv6 address is pardoned as its /64, unless exactly it is meant", () => {
  const address = parsePrefix("2a00:1:2:3:4:5:6:7");
  assert.equal(pardonedPrefix(address, false), "2a00:1:2:3::/64");
  assert.equal(pardonedPrefix(address, true), address);
  assert.equal(pardonedPrefix("2a00:1::/48" as Prefix, false), "2a00:1::/48");
  assert.equal(pardonedPrefix("8.8.8.8" as Prefix, false), "8.8.8.8");
});

test("an agent's own address is refused by name, a network around it is not", () => {
  const addresses = [{ address: parsePrefix("8.8.8.8"), owner: "agent web1" }];
  assert.throws(() => refuseProtected(parsePrefix("8.8.8.8"), addresses), /8\.8\.8\.8: is an address of agent web1/);
  refuseProtected(parsePrefix("8.8.8.0/24"), addresses);
  refuseProtected(parsePrefix("8.8.4.4"), addresses);
});
