import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "./prefix.ts";
import { isDocumentation, specialPurposeOf } from "./special-purpose.ts";

const SPECIAL: readonly [string, string][] = [
  ["0.1.2.3", "0.0.0.0/8"],
  ["10.255.255.255", "10.0.0.0/8"],
  ["100.64.0.1", "100.64.0.0/10"],
  ["100.127.255.255", "100.64.0.0/10"],
  ["127.0.0.1", "127.0.0.0/8"],
  ["169.254.169.254", "169.254.0.0/16"],
  ["172.16.0.1", "172.16.0.0/12"],
  ["172.31.255.255", "172.16.0.0/12"],
  ["192.0.0.9", "192.0.0.0/24"],
  ["192.0.2.1", "192.0.2.0/24"],
  ["192.88.99.1", "192.88.99.0/24"],
  ["192.168.1.30", "192.168.0.0/16"],
  ["198.19.255.255", "198.18.0.0/15"],
  ["198.51.100.1", "198.51.100.0/24"],
  ["203.0.113.1", "203.0.113.0/24"],
  ["224.0.0.1", "224.0.0.0/4"],
  ["239.255.255.255", "224.0.0.0/4"],
  ["240.0.0.1", "240.0.0.0/4"],
  ["255.255.255.255", "255.255.255.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["::2", "::/3"],
  ["64:ff9b::808:808", "64:ff9b::/96"],
  ["64:ff9b:1::1", "64:ff9b:1::/48"],
  ["100::1", "100::/64"],
  ["100:0:0:1::1", "100:0:0:1::/64"],
  ["2001::1", "2001::/32"],
  ["2001:1::4", "2001::/23"],
  ["2001:2::1", "2001:2::/48"],
  ["2001:10::1", "2001:10::/28"],
  ["2001:1ff:ffff::1", "2001::/23"],
  ["2001:db8::1", "2001:db8::/32"],
  ["2002:c000:204::1", "2002::/16"],
  ["3fff::1", "3fff::/20"],
  ["4000::1", "4000::/2"],
  ["5f00::1", "5f00::/16"],
  ["9000::1", "8000::/1"],
  ["fc00::1", "fc00::/7"],
  ["fdff::1", "fc00::/7"],
  ["fe80::1", "fe80::/10"],
  ["fec0::1", "fec0::/10"],
  ["ff02::1", "ff00::/8"],
];

const GLOBAL = [
  ...["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"],
  ...["172.15.255.255", "172.32.0.0", "192.0.1.0", "192.31.196.1", "192.175.48.1", "198.17.255.255", "198.20.0.0"],
  ...["223.255.255.255", "2000::1", "2001:1::1", "2001:1::2", "2001:1::3", "2001:3::1", "2001:4:112::1"],
  ...["2001:20::1", "2001:30::1", "2001:200::1", "2001:db7::1", "2003::1", "2606:4700::1111", "2620:4f:8000::1"],
  ...["3ffe::1", "3fff:1000::1", "8.0.0.0/8", "2600::/12"],
];

test("what is not globally reachable is special, and its range and name are told", () => {
  for (const [text, range] of SPECIAL) {
    const found = specialPurposeOf(parsePrefix(text));
    assert.equal(found?.range, range, text);
    assert.match(found?.name ?? "", /RFC \d+$/);
  }
});

test("global addresses beside the special ranges are not special", () => {
  for (const text of GLOBAL) assert.equal(specialPurposeOf(parsePrefix(text)), undefined, text);
});

test("a network around a special range is special too", () => {
  for (const text of ["0.0.0.0/0", "8.0.0.0/6", "192.0.0.0/8", "203.0.112.0/23", "::/0", "2000::/3", "2001::/16"]) {
    assert.notEqual(specialPurposeOf(parsePrefix(text)), undefined, text);
  }
});

test("the probe's addresses are those of the four documentation ranges, wholly inside", () => {
  for (const text of ["192.0.2.0/24", "198.51.100.7", "203.0.113.255", "2001:db8::/33"]) {
    assert.equal(isDocumentation(parsePrefix(text)), true, text);
  }
  for (const text of ["192.0.2.0/23", "192.0.3.1", "2001:db8::/31", "3fff::1", "1.1.1.1"]) {
    assert.equal(isDocumentation(parsePrefix(text)), false, text);
  }
});
