/**
 * Fills the disk under a spool until it refuses, frees some, and goes on; prints what happened as one line of JSON.
 *
 *     node spool-on-small-disk.main.ts FOLDER    FOLDER is the root of a small file system
 */
import { statfsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createSpoolFiles } from "@fleetban/agent/drivers/spool-files";
import { openSpool } from "@fleetban/agent/spool/spool";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { actOf, type Sighting } from "@fleetban/proto/model/sighting";

const [folder = ""] = process.argv.slice(2);
const ballast = join(folder, "ballast");
await writeFile(ballast, Buffer.alloc(100 * 1024));
const open = () => {
  const parts = {
    files: createSpoolFiles(join(folder, "spool")),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  };
  return openSpool(parts, { maxBytes: 64 << 20 });
};

const spool = await open();
let promised = 0;
let refusal: unknown;
while (refusal === undefined) {
  const numbers = Array.from({ length: 7 }, (_, at) => promised + at);
  await spool.append(numbers.map((number) => ({ sighting: sighting(number), position: position(number) }))).then(
    () => {
      promised += numbers.length;
    },
    (error) => {
      refusal = error;
    },
  );
}
const free = statfsSync(folder);
const whenFull = {
  code: (refusal as { code?: string }).code,
  message: (refusal as Error).message,
  position: spool.positions().get("handoff")?.value,
  left: await count(await open()),
  freeBytes: free.bfree * free.bsize,
};
await rm(ballast);
await spool.append([{ sighting: sighting(promised), position: position(promised) }]);
await spool.close();
const again = await open();
const afterwards = { left: await count(again), lost: again.lost, position: again.positions().get("handoff")?.value };
await again.close();
console.log(JSON.stringify({ promised, whenFull, afterwards }));

async function count(opened: Awaited<ReturnType<typeof open>>): Promise<number> {
  const seen = new Set<number>();
  let point: { incarnation: Uint8Array; seq: number } | undefined;
  for (;;) {
    const batch = await opened.after(point, 1_000);
    if (batch === undefined) return seen.size;
    for (const { failures } of batch.sightings) seen.add(failures);
    point = { incarnation: batch.incarnation, seq: batch.firstSeq + batch.sightings.length - 1 };
  }
}

function sighting(number: number): Sighting {
  const ban = { address: parsePrefix("192.0.2.7"), jail: "sshd", bannedAtMs: 1_795_000_000_000 + number * 10_000 };
  return {
    ...{
      ...ban,
      kind: "ban",
      source: "fail2ban",
      protocol: "",
      ports: "",
      failures: number,
      banSeconds: 600,
      banCount: 1,
    },
    ...{ recordedAtMs: ban.bannedAtMs, act: actOf(ban), evidence: new Uint8Array() },
  };
}

function position(number: number): { source: string; file: string; value: string } {
  return { source: "handoff", file: "1:2:3", value: String(number) };
}
