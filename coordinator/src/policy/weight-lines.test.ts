import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { weightOf } from "./policy.ts";
import { DEFAULT_POLICY } from "./policy-in-force.ts";
import { weightLines, weightText } from "./weight-lines.ts";

const policy = { ...DEFAULT_POLICY, jailWeights: { sshd: 2, noise: 0 }, udpWeight: 0.25 };

test("the lines that explain a weight multiply to the weight that counts", () => {
  const told = fc.record({
    jail: fc.constantFrom("sshd", "noise", "nginx-limit-req", "postfix"),
    source: fc.constantFrom("fail2ban" as const, "log" as const, "socket" as const, "import" as const),
    protocol: fc.constantFrom("tcp", "udp", "UDP", ""),
  });
  const factor = fc.double({ min: 0, max: 2, noNaN: true });
  const weights = fc.record({ fail2ban: factor, log: factor, socket: factor, import: factor });
  fc.assert(
    fc.property(told, weights, (one, sourceWeights) => {
      const given = { ...policy, sourceWeights };
      const product = weightLines(one, given).reduce((product, { value }) => product * value, 1);
      assert.ok(Math.abs(product - weightOf(one, given)) < 1e-9);
    }),
  );
});

test("a weight is told by the keys that make it", () => {
  const text = (jail: string, protocol = "tcp") => weightText({ jail, protocol, source: "fail2ban" }, policy);
  assert.equal(text("sshd"), "jails.sshd.weight 2");
  assert.equal(text("nginx-botsearch"), "weights.forgeable 0.6");
  assert.equal(text("asterisk", "udp"), "weights.jail 1 × weights.udp 0.25");
});
