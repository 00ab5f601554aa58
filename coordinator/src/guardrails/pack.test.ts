import assert from "node:assert/strict";
import { test } from "node:test";
import { readPacks } from "../drivers/pack-files.ts";
import { packName, parsePack } from "./pack.ts";

const HEAD = "# title: Partners\n# source: https://partners.test/ranges\n# date: 2026-11-01\n";

test("a pack says what it is, where it comes from and as of when", () => {
  const pack = parsePack(
    "partners",
    `\uFEFF${HEAD}# terms: by contract\r\n\r\n5.5.5.0/24  # Berlin\r\n2a00:1::/32\n# end\n`,
  );
  assert.deepEqual(
    { ...pack, sha256: pack.sha256.length },
    {
      name: "partners",
      title: "Partners",
      source: "https://partners.test/ranges",
      date: "2026-11-01",
      terms: "by contract",
      note: "",
      prefixes: ["5.5.5.0/24", "2a00:1::/32"],
      sha256: 64,
    },
  );
});

test("every mistake of a pack is told with its line", () => {
  const text = "# title: x\n# date: soon\n5.5.5.5/24\n10.0.0.0/8\n5.0.0.0/7\nhello\n";
  assert.throws(() => parsePack("bad", text), {
    code: "bad-pack",
    message: [
      "pack bad:3: 5.5.5.5/24: is no address or network",
      "pack bad:4: 10.0.0.0/8: overlaps 10.0.0.0/8 (private use, RFC 1918), which is never listed anyway",
      "pack bad:5: 5.0.0.0/7: is no address or network",
      "pack bad:6: hello: is no address or network",
      'pack bad: has no source; write a line "# source: …"',
      "pack bad: its date must be YYYY-MM-DD",
    ].join("\n"),
  });
  assert.throws(() => parsePack("bad", `${HEAD}4.0.0.0/7\n`), /4\.0\.0\.0\/7: is wider than \/8/);
  assert.throws(() => parsePack("empty", HEAD), /pack empty: has no prefixes/);
});

test("the packs that come with the program are good, each with source and date, and name nothing twice", async () => {
  const packs = await readPacks(undefined);
  assert.deepEqual(
    [...packs.keys()],
    ["applebot", "bingbot", "ca-validators", "cloudflare", "fastly", "github", "googlebot", "public-resolvers"],
  );
  for (const { name, source, date, terms, prefixes } of packs.values()) {
    assert.match(source, /^https:\/\//, name);
    assert.match(date, /^202[0-9]-/, name);
    assert.notEqual(terms, "", name);
    assert.equal(new Set(prefixes).size, prefixes.length, name);
  }
});

test("only files that are named like a pack are packs", () => {
  assert.deepEqual(["a.txt", "My.txt", "a.txt~", "README.md"].map(packName), ["a", undefined, undefined, undefined]);
});
