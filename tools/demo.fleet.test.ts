import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { processesWith, type Terminal, typeCommand } from "../test/support/start.ts";
import { until } from "../test/support/until.ts";
import { ROOT } from "./tool.ts";

const NOBODY = 65_534;
const PROGRAMS = ["/usr/sbin/ipset", "/usr/bin/fail2ban-server", "/usr/sbin/sshd", "/usr/bin/sshpass"];
const isRoot = process.getuid?.() === 0;
const missing = PROGRAMS.find((path) => !existsSync(path));
const skip = !isRoot ? "needs root" : missing === undefined ? false : `needs ${missing}`;

let folder: string;
let before: readonly string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fb-demo-"));
  await chmod(folder, 0o755);
  before = isRoot ? await orphanedNamespaces() : [];
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

test("the whole story is told, and nothing of it is left", { skip }, async () => {
  const demo = type();
  assert.equal(await demo.end(), 0, demo.stdout() + demo.stderr());
  const story = demo.stdout();
  assert.match(story, /server one +fail2ban bans it/);
  assert.equal(story.match(/\+ \d+ ms +server (two|three) *its last packet came in, though/g)?.length, 2, story);
  assert.equal(story.match(/the kernel holds 10,000 of the list's 10,000/g)?.length, 3, story);
  assert.equal(story.match(/its packets arrive again/g)?.length, 3, story);
  assert.match(story, /its packets still arrive\n\ndone in \d+ s/);
  assert.ok(
    story.split("\n").every((line) => line.length <= 120),
    "it fits a screen's width",
  );
  assert.ok(story.trimEnd().split("\n").length <= 24, "it fits a screen's height");
  await nothingIsLeft();
});

test("interrupted in the middle, it takes everything down before it ends", { skip }, async () => {
  const demo = type();
  await until("the attack begins", () => demo.stdout().includes("tries passwords"), 240_000);
  demo.pressCtrlC();
  assert.equal(await demo.end(), 130, demo.stderr());
  assert.match(demo.stderr(), /interrupted/);
  await nothingIsLeft();
});

test("piped into a reader that goes, it takes everything down before it ends", { skip }, async () => {
  const command = `${process.execPath} ${join(ROOT, "tools/bootstrap.mjs")} demo | head -n 1`;
  const demo = typeCommand(["/bin/sh", "-c", command], { cwd: ROOT, env: { TMPDIR: folder } });
  await demo.end();
  assert.match(demo.stderr(), /nobody reads on/);
  assert.doesNotMatch(demo.stderr(), /\n +at /, "no stack");
  await nothingIsLeft();
});

test("without root it says in one line what is missing", { skip: isRoot ? false : "the others say it" }, async () => {
  const demo = typeCommand([process.execPath, join(ROOT, "tools/demo.ts")], { cwd: ROOT, uid: NOBODY });
  assert.equal(await demo.end(), 1);
  assert.match(demo.stderr(), /^fleetban: error: the demo needs root, .*sudo npm run demo\n$/);
});

function type(): Terminal {
  const command = [process.execPath, join(ROOT, "tools/bootstrap.mjs"), "demo"];
  return typeCommand(command, { cwd: ROOT, env: { TMPDIR: folder } });
}

async function nothingIsLeft(): Promise<void> {
  await until("its processes are gone", async () => (await processesWith(folder)).length === 0); // killed ones take a moment
  assert.deepEqual(await readdir(folder), []);
  const left = await orphanedNamespaces();
  assert.deepEqual(
    left.filter((name) => !before.includes(name)),
    [],
  );
}

/** Namespaces whose maker has ended. */
async function orphanedNamespaces(): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)("ip", ["netns", "list"]);
  const names = stdout.split("\n").map((line) => line.split(" ")[0] ?? "");
  return names.filter((name) => {
    const maker = /^fb-(\d+)-/.exec(name)?.[1];
    return maker !== undefined && !existsSync(`/proc/${maker}`);
  });
}
