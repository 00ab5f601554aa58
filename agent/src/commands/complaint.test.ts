import assert from "node:assert/strict";
import { test } from "node:test";
import { FleetbanError } from "@fleetban/kit/errors";
import { Command } from "commander";
import { complaintOf } from "./complaint.ts";

test("what was mistyped is said in one form, with a remedy that is not said twice", () => {
  const hint = "write one like 192.0.2.7";
  const cases = [
    [new FleetbanError("bad-prefix", `prefix x: is no address; ${hint}`, { hint }), ["prefix x: is no address", hint]],
    [typed(["ban"]), ["missing required argument 'address'", "see fleetban-agent ban --help"]],
    [typed(["bann"]), ["unknown command 'bann'", "Did you mean ban?"]],
    [typed(["ban", "a", "b"]), ["too many arguments for 'ban'. Expected 1 argument but got 2: a, b", SEE]],
  ] as const;
  for (const [error, [what, remedy]] of cases) {
    const lines = [`error: ${what}`, `hint: ${remedy}`];
    assert.deepEqual(complaintOf(error, "fleetban-agent ban"), { lines, isUsage: true });
  }
});

test("what could not be done is told apart from what was mistyped, and from an error of the program", () => {
  const error = new FleetbanError("bad-file", "first line\nsecond line");
  assert.deepEqual(complaintOf(error, ""), { lines: ["error: first line", "error: second line"], isUsage: false });
  assert.equal(complaintOf(new TypeError("x"), ""), undefined);
});

const SEE = "see fleetban-agent ban --help";

function typed(args: readonly string[]): unknown {
  const program = new Command("fleetban-agent").exitOverride().configureOutput({ outputError: () => undefined });
  program.command("ban").argument("<address>");
  try {
    return program.parse(args, { from: "user" });
  } catch (error) {
    return error;
  }
}
