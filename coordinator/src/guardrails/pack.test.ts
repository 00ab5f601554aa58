import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  const packs = await readPacks(undefined, (error) => assert.fail(String(error)));
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

test("an own pack goes before the shipped one, and one with a mistake is told and left out", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fb-packs-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "googlebot.txt"), `${HEAD}66.249.64.0/19\n`);
  await writeFile(join(folder, "partners.txt"), `${HEAD}5.5.5.0/33\n`);
  await writeFile(join(folder, "README.md"), "not a pack");
  const told: string[] = [];
  const packs = await readPacks(folder, (error) => told.push(String(error)));
  assert.deepEqual(packs.get("googlebot")?.prefixes, ["66.249.64.0/19"]);
  assert.equal(packs.has("partners"), false);
  assert.equal(packs.has("bingbot"), true);
  assert.deepEqual(told, ["PackError: pack partners:4: 5.5.5.0/33: is no address or network"]);
  assert.equal((await readPacks(join(folder, "nowhere"), (error) => told.push(String(error)))).size, 8);
  assert.match(told[1]!, /packs_dir is .*nowhere: cannot be read: there is no such file/);
});

test("only files that are named like a pack are packs", () => {
  assert.deepEqual(["a.txt", "My.txt", "a.txt~", "README.md"].map(packName), ["a", undefined, undefined, undefined]);
});
