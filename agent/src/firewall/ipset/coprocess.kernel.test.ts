import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import type { RunningProgram, Spawn } from "@fleetban/kit/spawn";
import { enterFreshNetns } from "../../../../test/support/netns.ts";
import { spawn } from "../../drivers/spawn.ts";
import { createCoprocess } from "./coprocess.ts";

const skip = enterFreshNetns();

test("complaints belong to their lines, and errors end nothing", { skip }, async () => {
  const { coprocess, started } = startCoprocess();
  const lines = [
    "create s hash:net timeout 0 maxelem 1",
    "add s 1.0.0.1",
    "add s 1.0.0.2",
    "nonsense",
    "add s 1.0.0.1/0",
  ];
  const complaints = await coprocess.runEach(lines);
  assert.deepEqual(
    complaints.map((complaint) => complaint !== ""),
    [false, false, true, false, true],
  );
  assert.match(complaints[2] ?? "", /^Hash is full/);
  assert.match(await coprocess.runTogether(["add s 1.0.0.3", "del s 1.0.0.1"]), /Hash is full/);
  assert.equal(await coprocess.runTogether(["add s 1.0.0.3", "destroy s"]), "");
  await coprocess.close();
  assert.equal(started.length, 1);
});

test("many asked at once get their own answers, in turn, by one process", { skip }, async () => {
  const { coprocess, started } = startCoprocess();
  await coprocess.runEach(["create s hash:net timeout 0"]);
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, at) => coprocess.runEach([`add s 1.0.0.${at}`, `test s 1.0.0.${at}`])),
  );
  for (const [at, [, said]] of answers.entries()) assert.match(said ?? "", new RegExp(`1\\.0\\.0\\.${at} is in set s`));
  await coprocess.runEach(["destroy s"]);
  await coprocess.close();
  assert.equal(started.length, 1);
});

test("a child that died is started anew, and what it was asked is asked again", { skip }, async () => {
  const { coprocess, started } = startCoprocess();
  await coprocess.runEach(["create s hash:net timeout 0"]);
  started[0]?.kill();
  assert.equal(await coprocess.runTogether(["add s 1.0.0.1 -exist"]), "");
  assert.match((await coprocess.runEach(["test s 1.0.0.1"]))[0] ?? "", /is in set/);
  const asked = coprocess.runTogether(
    Array.from({ length: 20_000 }, (_, at) => `add s 1.1.${at >> 8}.${at & 255} -exist`),
  );
  started[1]?.kill();
  assert.equal(await asked, "");
  await coprocess.runEach(["destroy s"]);
  await coprocess.close();
  assert.equal(started.length, 3);
});

test("a program that dies each time, or isn't there, is an error", { skip }, async () => {
  const dying = createCoprocess({ spawn: () => spawn("sh", ["-c", "exit 3"], "discard"), clock: systemClock });
  await assert.rejects(dying.runTogether(["add s 1.0.0.1"]), { code: "ipset-failed", message: /exit code 3/ });
  const missing = createCoprocess({ spawn: () => spawn("/nonexistent", [], "discard"), clock: systemClock });
  await assert.rejects(missing.runTogether(["add s 1.0.0.1"]), { code: "ipset-failed", message: /ENOENT/ });
  await dying.close();
});

function startCoprocess() {
  const started: RunningProgram[] = [];
  const counted: Spawn = (...call) => {
    const program = spawn(...call);
    started.push(program);
    return program;
  };
  return { coprocess: createCoprocess({ spawn: counted, clock: systemClock }), started };
}
