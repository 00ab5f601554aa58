import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { FleetbanError } from "@fleetban/kit/errors";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import fc from "fast-check";
import { listenUnix } from "../../drivers/unix-listener.ts";
import type { Seen, SeenBan, SeenEnd, SightingSink } from "../seen.ts";
import type { SocketConnection } from "./connection.ts";
import { converse, type SocketDesk } from "./conversation.ts";
import { readRequest } from "./request.ts";
import { serveSocket } from "./socket.ts";

const NOW = 1_795_000_000_000;
let folder = "";
let path = "";
let stopper = new AbortController();
let served: Promise<unknown> = Promise.resolve();
let taken: Seen[] = [];
let clients: Socket[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fb-socket-"));
  path = join(folder, "agent.sock");
  stopper = new AbortController();
  taken = [];
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  stopper.abort(new Error("the test is over"));
  await served.catch(() => undefined);
  await rm(folder, { recursive: true });
});

const collecting: SightingSink = { take: async (items) => void taken.push(...items.map(({ seen }) => seen)) };

const EXEMPT = "192.0.2.10";
const lifted: string[] = [];
const desk: SocketDesk = {
  refusalOf: (address) => (address === EXEMPT ? "it is exempt (192.0.2.0/28)" : undefined),
  async lift(address) {
    lifted.push(address);
    return { jails: ["sshd"], fail2ban: 1 };
  },
  listedOn: () => ["fleet"],
};

async function serve(sink = collecting): Promise<void> {
  const listening = Promise.withResolvers<void>();
  const listen: typeof listenUnix = (...args) => {
    const done = listenUnix(...args);
    done.then(listening.resolve, listening.reject);
    return done;
  };
  served = serveSocket({ listen, sink, desk, clock: systemClock, log: silentLog }, path, stopper.signal);
  served.catch(() => undefined);
  await listening.promise;
}

async function open(): Promise<Socket> {
  const client = connect(path);
  clients.push(client);
  client.on("error", () => undefined);
  await once(client, "connect");
  return client;
}

/** Everything said until the other side hangs up; with `lines`, until so many lines came. */
async function hear(
  client: Socket,
  lines = Number.POSITIVE_INFINITY,
): Promise<readonly { ok: boolean; error?: string }[]> {
  let text = "";
  const answers = () =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  for await (const piece of client.iterator({ destroyOnReturn: false })) {
    text += piece;
    if (answers().length >= lines) break;
  }
  return answers();
}

const line = (fields: Record<string, unknown>) => `${JSON.stringify(fields)}\n`;
const BAN = { ip: "203.0.113.9", jail: "sshd", ban_seconds: 600, failures: 3, at: NOW / 1_000 };

test("a ban and an unban are taken, each answered", async () => {
  await serve();
  const client = await open();
  client.write(line(BAN) + line({ ip: "2001:db8::1", kind: "unban" }));
  assert.deepEqual(await hear(client, 2), [{ ok: true }, { ok: true }]);
  const [ban, unban] = taken;
  assert.deepEqual(ban, {
    ...{ kind: "ban", source: "socket", address: "203.0.113.9", jail: "sshd", bannedAtMs: NOW, banSeconds: 600 },
    ...{ failures: 3, banCount: 0, atMs: NOW },
  });
  assert.deepEqual([unban?.kind, (unban as { address: string }).address], ["end", "2001:db8::1"]);
});

test("a strict ban says what became of it, and is refused where it would not be enforced", async () => {
  const judging: SightingSink = {
    async take(items) {
      for (const { onJudged } of items) onJudged?.(true, { kind: "enforced" });
    },
  };
  await serve(judging);
  const client = await open();
  client.write(line({ ...BAN, strict: true }) + line({ ip: EXEMPT, strict: true }) + line({ ip: EXEMPT }));
  assert.deepEqual(await hear(client, 3), [
    { ok: true, told: true, enforced: true },
    { ok: false, error: "192.0.2.10 is not banned: it is exempt (192.0.2.0/28)" },
    { ok: true },
  ]);
});

test("an address can be asked about and let go, and an import keeps its counts", async () => {
  await serve();
  const client = await open();
  const told = { ip: "203.0.113.9", kind: "import", jail: "old", ban_count: 4, reason: "as before" };
  client.write([{ ip: EXEMPT, kind: "check" }, { ip: "203.0.113.9", kind: "check" }, told].map(line).join(""));
  client.write(line({ ip: "203.0.113.9", kind: "lift" }));
  assert.deepEqual(await hear(client, 4), [
    { ok: true, refused: "it is exempt (192.0.2.0/28)" },
    { ok: true },
    { ok: true },
    { ok: true, jails: ["sshd"], fail2ban: 1, listed: ["fleet"] },
  ]);
  assert.deepEqual(lifted, ["203.0.113.9"]);
  const [{ source, banCount, evidence }] = taken as [SeenBan];
  assert.deepEqual([source, banCount, evidence], ["import", 4, "as before"]);
});

test("a ban that is over by its time is no person's act", () => {
  const { seen } = readRequest('{"ip":"203.0.113.9","jail":"sshguard","kind":"over"}', NOW) as { seen: SeenEnd };
  assert.deepEqual([seen.kind, seen.cause], ["end", "gone"]);
});

test("only the owner may open it, and a file left by a kill -9 is replaced", async () => {
  await writeFile(path, "");
  await rm(path);
  const dead = createServer().listen(path);
  await once(dead, "listening");
  await serve().then(
    () => assert.fail("two programs on one socket"),
    (error) => assert.equal(error.code, "socket-in-use"),
  );
  const left = join(folder, "left.sock");
  const { spawnSync } = await import("node:child_process");
  const bindAndDie = `require("net").createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", bindAndDie]);
  dead.close();
  path = left;
  await serve();
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  (await open()).end();
});

test("a folder that is missing is said", async () => {
  path = join(folder, "missing/agent.sock");
  await assert.rejects(serve(), { code: "socket-unavailable" });
});

test("ok is said when it is durable, not before; what could not be made durable says so", async () => {
  const gate = Promise.withResolvers<void>();
  let refused = false;
  await serve({
    async take() {
      await gate.promise;
      if (refused) throw new FleetbanError("spool-unwritable", "no room");
    },
  });
  const client = await open();
  client.write(line(BAN));
  let heard = false;
  const answer = hear(client, 1).then((answers) => {
    heard = true;
    return answers;
  });
  const other = await open(); // a round trip later nothing has been said
  other.end("{\n");
  await hear(other);
  assert.equal(heard, false);
  gate.resolve();
  assert.deepEqual(await answer, [{ ok: true }]);
  refused = true;
  client.write(line(BAN));
  const [answered] = await hear(client, 1);
  assert.deepEqual([answered?.ok, /no room; it was not taken/.test(answered?.error ?? "")], [false, true]);
});

const BAD: readonly [string, RegExp][] = [
  ["garbage", /no JSON/],
  ["[]", /no JSON object/],
  ["null", /no JSON object/],
  ['{"ip":5}', /no ip/],
  ['{"ip":"1.2.3"}', /1\.2\.3/],
  ['{"ip":"203.0.113.0/24"}', /is a network; give each address by itself/],
  ['{"ip":"203.0.113.9","jail":""}', /jail/],
  [`{"ip":"203.0.113.9","jail":"${"j".repeat(65)}"}`, /1 to 64/],
  ['{"ip":"203.0.113.9","ban_seconds":-2}', /ban_seconds -2; write a whole number/],
  ['{"ip":"203.0.113.9","ban_seconds":1.5}', /ban_seconds 1.5/],
  ['{"ip":"203.0.113.9","failures":"3"}', /failures "3"/],
  ['{"ip":"203.0.113.9","kind":"nope"}', /write ban, unban, over, import, check, lift/],
  ['{"ip":"203.0.113.9","at":1795000000000000}', /Unix seconds/],
  ['{"ip":"203.0.113.9","bantime":5}', /unknown key "bantime"; known are ip, jail/],
];

test("a bad line is answered with what is wrong, and the next one is read", async () => {
  await serve();
  const client = await open();
  client.write(`${BAD.map(([text]) => text).join("\n")}\n\n${line(BAN)}`);
  const answers = await hear(client, BAD.length + 1);
  for (const [at, [text, why]] of BAD.entries()) assert.match(answers[at]?.error ?? "", why, text);
  assert.deepEqual([answers.at(-1), taken.length], [{ ok: true }, 1]);
});

test("binary garbage, an endless line and half a line each end in an answer", async () => {
  await serve();
  const binary = await open();
  binary.end(Buffer.from([0xff, 0xfe, 0x00, 0x0a]));
  assert.match((await hear(binary))[0]?.error ?? "", /no JSON/);
  const endless = await open();
  endless.write("x".repeat(5_000));
  assert.match((await hear(endless))[0]?.error ?? "", /over 4096 bytes/);
  const long = await open();
  long.end(`{"ip":"${"1".repeat(5_000)}"}\n`);
  assert.match((await hear(long))[0]?.error ?? "", /5009 bytes; at most 4096/);
  const half = await open();
  half.end('{"ip":"203.0.113.9"');
  assert.match((await hear(half))[0]?.error ?? "", /not ended by a line feed/);
  assert.equal(taken.length, 0);
});

test("the sixty-fifth connection is told so, and finds room when another goes", async () => {
  await serve();
  const held: Socket[] = [];
  for (let number = 0; number < 64; number += 1) held.push(await open());
  const refused = await open();
  assert.match((await hear(refused))[0]?.error ?? "", /over 64 connections/);
  held[0]?.end();
  await hear(held[0]!);
  const accepted = await open();
  accepted.write(line(BAN));
  assert.deepEqual(await hear(accepted, 1), [{ ok: true }]);
});

test("who says nothing for a minute is told so and hung up on", async () => {
  const clock = createVirtualClock(NOW);
  const said: string[] = [];
  let isEnded = false;
  const connection: SocketConnection = {
    pieces: { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) },
    write: async (text) => void said.push(text),
    end: () => {
      isEnded = true;
    },
  };
  const conversation = converse({ sink: collecting, desk, clock }, connection, stopper.signal);
  await clock.run(59_000);
  assert.equal(isEnded, false);
  await clock.run(61_000);
  await conversation;
  assert.deepEqual([isEnded, JSON.parse(said[0]!).ok], [true, false]);
});

test("any line is a sighting or a FleetbanError, never anything else", () => {
  const fields = fc.record(
    {
      ip: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()),
      jail: fc.string(),
      ban_seconds: fc.anything(),
      at: fc.anything(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fields.map((value) => JSON.stringify(value)),
      ),
      (text) => {
        try {
          assert.equal(readRequest(text, NOW).kind, "tell");
        } catch (error) {
          assert.ok(error instanceof FleetbanError, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});
