import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, test } from "node:test";
import { readFail2banDatabase } from "./fail2ban-database.ts";

const NOW = 1_795_000_000_000;
const SECONDS = NOW / 1_000;
let folder = "";
let path = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fb-database-"));
  path = join(folder, "fail2ban.sqlite3");
});
afterEach(async () => await rm(folder, { recursive: true }));

/** As fail2ban 0.11 and later make it. */
function createDatabase(...rows: readonly (readonly [string, string, number, number, number, string])[]): void {
  const database = new DatabaseSync(path);
  database.exec("create table fail2banDb(version integer); insert into fail2banDb values (4)");
  database.exec(
    "create table bips(ip text, jail text, timeofban integer, bantime integer, bancount integer, data json)",
  );
  const insert = database.prepare("insert into bips values (?, ?, ?, ?, ?, ?)");
  for (const row of rows) insert.run(...row);
  database.close();
}

test("bans in force are read with time, length and counts; what is over is not", async () => {
  createDatabase(
    ["45.83.64.9", "sshd", SECONDS - 300, 600, 2, '{"matches":["x"],"failures":5}'],
    ["45.83.64.10", "sshd", SECONDS - 700, 600, 1, "{}"],
    ["45.83.64.11", "recidive", SECONDS - 9_000_000, -1, 7, "no json"],
    ["45.83.64.12", "old", SECONDS - 3_600, -2, 1, "{}"],
    ["foo;bar", "sshd", SECONDS - 10, 600, 1, "null"],
  );
  const bans = await readFail2banDatabase(path, NOW);
  const texts = bans.map((ban) => `${ban.id} ${ban.jail} ${ban.banSeconds} ${ban.failures} ${ban.banCount}`);
  assert.deepEqual(texts, [
    "45.83.64.11 recidive -1 0 7",
    "45.83.64.12 old 0 0 1",
    "45.83.64.9 sshd 600 5 2",
    "foo;bar sshd 600 0 1",
  ]);
  assert.equal(bans[2]?.bannedAtMs, NOW - 300_000);
});

test("what is missing, damaged or of another program is named", async () => {
  await assert.rejects(readFail2banDatabase(path, NOW), { code: "database-unreadable", message: /ENOENT/ });
  await writeFile(path, "x".repeat(5_000));
  await assert.rejects(readFail2banDatabase(path, NOW), { code: "database-unreadable", message: /not a database/ });
  await rm(path);
  new DatabaseSync(path).exec("create table other(x)");
  await assert.rejects(readFail2banDatabase(path, NOW), { code: "database-unknown" });
});
