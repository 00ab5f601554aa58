/** What is listed, explained and planned is one function's word: altering one weight alters all three. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_FLEET } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { explain } from "../admin/explain.ts";
import { openTestLedger } from "../ledger/ledger.fixture.ts";
import { batchOf, sightingOf } from "../ledger/sightings.fixture.ts";
import type { Policy } from "../policy/policy.ts";
import { readPolicy } from "../policy/policy-file.ts";
import { judgementOf } from "../policy/policy-in-force.ts";
import { createTestDatabase } from "../store/test-database.ts";
import { openPolicyStage, RETENTION_SECONDS } from "./policies.fixture.ts";

const ATTACKER = parsePrefix("198.50.0.7");

test("altering one weight alters what is listed, what is explained and what is planned", async (t) => {
  const lighter = "jails: { sshd: { weight: 0.5 } }\n";
  assert.deepEqual(await listedBy(t, ""), true);
  assert.deepEqual(await listedBy(t, lighter), false);

  const { store, ledger, plan } = await openPolicyStage(t);
  await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, ATTACKER)]));
  const planned = async (body: string) => (await plan(body)).lists.flatMap(({ removed }) => removed);
  assert.deepEqual(await planned(""), []);
  assert.deepEqual(await planned(lighter), [ATTACKER]);

  const explained = async (body: string) => {
    const policy = () => judged(body);
    const { evidence } = await explain({ store, ledger, policy }, { prefix: ATTACKER });
    return evidence.map(({ kind, text, policy: lines }) => `${kind}: ${text} [${lines.join("; ")}]`);
  };
  const [asItIs, asItWouldBe] = [await explained(""), await explained(lighter)];
  assert.ok(includes(asItIs, /^sightings: .* weigh 1 now \[weights\.jail 1;/), asItIs.join("\n"));
  assert.ok(!includes(asItIs, /^replay:/), asItIs.join("\n"));
  assert.ok(includes(asItWouldBe, /^sightings: .* weigh 0\.5 now \[jails\.sshd\.weight 0\.5;/), asItWouldBe.join("\n"));
  assert.ok(includes(asItWouldBe, /^replay: .* say: not listed: too little evidence/), asItWouldBe.join("\n"));
});

async function listedBy(t: Parameters<typeof createTestDatabase>[0], body: string): Promise<boolean> {
  const { store } = await createTestDatabase(t);
  const ledger = await openTestLedger(t, store, { source: () => judged(body) });
  await ledger.commitSightings(batchOf(ledger, 1, 1, [sightingOf(ledger, ATTACKER)]));
  return ledger.get(LIST_FLEET, ATTACKER) !== undefined;
}

function judged(body: string): Policy {
  const place = { policyNo: 0, retentionSeconds: RETENTION_SECONDS, listNumbers: new Map() };
  return judgementOf(readPolicy(body, "policy.yaml"), place);
}

function includes(lines: readonly string[], wanted: RegExp): boolean {
  return lines.some((line) => wanted.test(line));
}
