import assert from "node:assert/strict";
import { test } from "node:test";
import { EnrollmentTokenError, formatEnrollmentToken, parseEnrollmentToken } from "./enrollment-token.ts";

const token = {
  secret: "AAECAwQFBgcICQoLDA0ODw",
  caFingerprint: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
  addresses: ["198.51.100.7:7742", "[2001:db8::7]:7742", "coordinator.example.net:7742"],
};
const text = formatEnrollmentToken(token);

test("a token reads back as what was written, whitespace around it ignored", () => {
  assert.deepEqual(parseEnrollmentToken(`  ${text}\n`), token);
});

test("a damaged token is refused and says what is wrong with it", () => {
  const cases: readonly [string, RegExp][] = [
    ["", /is empty/],
    ["hello", /does not begin with fbe1\./],
    [text.replace("fbe1", "fbe2"), /does not begin with fbe1\./],
    [text.replace("AAEC", "AAE"), /the secret is cut off/],
    [text.slice(0, 50), /the CA fingerprint is cut off/],
    [text.slice(0, text.indexOf("@")), /names no coordinator address/],
    [`${text},nowhere`, /address "nowhere" is not host:port/],
    [`${text},host:70000`, /address "host:70000" is not host:port/],
    [text.replace("@", ".more@"), /more parts/],
    ["x".repeat(5_000), /longer than/],
  ];
  for (const [damaged, message] of cases) {
    assert.throws(
      () => parseEnrollmentToken(damaged),
      (error) => {
        assert.ok(error instanceof EnrollmentTokenError);
        assert.equal(error.code, "bad-enrollment-token");
        assert.match(error.message, message);
        return true;
      },
    );
  }
});
