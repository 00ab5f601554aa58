import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readBanFile } from "./read-ban-file.ts";

const BAN = { jail: "import", banSeconds: 600 };

function read(text: string) {
  const { candidates, problems } = readBanFile(text, "bans", BAN);
  return {
    addresses: candidates.map(({ place, address }) => `${place} ${address}`),
    problems: problems.map(({ place, reason }) => `${place} ${reason}`),
  };
}

test("addresses, comments, blank lines and Windows line ends are read, and doubles once", () => {
  const text =
    "\ufeff# kept by hand\r\n45.83.64.9\r\n\r\n 2001:DB8::1 ; a scanner\r\n45.83.64.9/32 # again\r\n::ffff:45.83.64.10";
  const { addresses, problems } = read(text);
  assert.deepEqual(addresses, ["bans:2 45.83.64.9", "bans:4 2001:db8::1", "bans:6 45.83.64.10"]);
  assert.deepEqual(problems, []);
});

test("what is no single address is named with its line and why", () => {
  const { addresses, problems } = read("45.83.64.9\n45.83.64.0/24\n1.2.3\n45.83.64.7 45.83.64.8\n<html>");
  assert.deepEqual(addresses, ["bans:1 45.83.64.9"]);
  assert.equal(problems.length, 4);
  assert.match(problems[0] ?? "", /^bans:2 45\.83\.64\.0\/24: is a network; an operator bans it/);
  assert.match(problems[1] ?? "", /^bans:3 prefix 1\.2\.3: is a short form/);
  assert.match(problems[2] ?? "", /^bans:4 "45\.83\.64\.7 45\.83\.64\.8": more than one word/);
  assert.match(problems[3] ?? "", /^bans:5 /);
});

test("whatever is in a file, each line is an address, a problem or nothing, and no reason fills a screen", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 500 }))), (lines) => {
      const { candidates, problems } = readBanFile(lines.join("\n"), "bans", BAN);
      assert.ok(candidates.length + problems.length <= lines.join("\n").split("\n").length);
      assert.ok(problems.every(({ reason }) => reason.length < 900));
    }),
  );
});
