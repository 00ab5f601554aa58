import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions } from "./options.ts";

const parse = (...args: string[]) => parseOptions(args, "/home/me", "/srv/fleetban/data");

test("without options everything is in the checkout's data folder, in dry-run", () => {
  assert.deepEqual(parse(), {
    dataDir: "/srv/fleetban/data",
    isUsualPlace: true,
    isEnforcing: false,
    portBase: undefined,
  });
});

test("a folder is meant from where the command was typed", () => {
  assert.equal(parse("--data", "fb/data")?.dataDir, "/home/me/fb/data");
  assert.equal(parse("--data", "/srv/fleetban/data")?.isUsualPlace, true);
});

test("four ports have to fit above the base", () => {
  assert.equal(parse("--port-base", "65532")?.portBase, 65_532);
  for (const bad of ["0", "65533", "99999", "7741x", "-1", ""]) {
    assert.throws(() => parse(`--port-base=${bad}`), {
      code: "bad-options",
      message: /must be a number from 1 to 65532/,
    });
  }
});

test("an unknown option is answered with where the known ones are", () => {
  assert.throws(() => parse("--enforced"), {
    code: "bad-options",
    message: /^unknown option '--enforced'/,
    hint: /--help/,
  });
});
