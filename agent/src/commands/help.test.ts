import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { addHelpCommand } from "./help.ts";

test("help shows the program or one command, and says which word it doesn't know", () => {
  const said: string[] = [];
  const ask = (...args: string[]) => {
    const program = new Command("fleetban-agent").configureOutput({ writeOut: (text) => said.push(text) });
    program.command("status").description("show what it holds").copyInheritedSettings(program);
    addHelpCommand(program);
    program.parse(["help", ...args], { from: "user" });
  };
  ask();
  assert.match(said.pop() ?? "", /^Usage: fleetban-agent \[options\] \[command\]/);
  ask("status");
  assert.match(said.pop() ?? "", /^Usage: fleetban-agent status/);
  assert.throws(() => ask("statsu"), {
    code: "bad-usage",
    message: "unknown command 'statsu'",
    hint: "Did you mean status?",
  });
  assert.throws(() => ask("bogus"), { code: "bad-usage", hint: "see fleetban-agent --help" });
  assert.deepEqual(said, []);
});
