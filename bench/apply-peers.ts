/**
 * What others take to bring a list into a kernel: firewalld from a file, CrowdSec's firewall bouncer from its local API.
 *
 * Both are Debian's packages, unchanged, on a host of their own with nothing else on it.
 */
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { isSingle, type Prefix } from "@fleetban/proto/model/prefix";
import { startBouncer } from "../test/support/fleet/bouncer.ts";
import { startFirewalld } from "../test/support/fleet/firewalld.ts";
import type { Host } from "../test/support/fleet/host.ts";
import { needs } from "../test/support/fleet/needs.ts";
import { createNetwork } from "../test/support/fleet/network.ts";
import { madeUpPrefixes } from "./listings.ts";

export interface PeerLoad {
  readonly tookMs: number;
  /** Of those listed, in the kernel when nothing came any more. */
  readonly entries: number;
}

const LAPI = join(import.meta.dirname, "apply-lapi.main.ts");
const BLACKLIST = "crowdsec-blacklists";
/** A few in a hundred are left out. */
const WITH_NETWORKS = 1.1;
const LOOK_EVERY_MS = 20;
/** Its set is filled by a program an address: a pause this long is its end. */
const STANDS_STILL_MS = 3_000;

/** Undefined = it is not installed here. */
export async function loadByFirewalld(listings: number): Promise<PeerLoad | undefined> {
  if (needs("firewalld", "dbus-daemon", "nft") !== false) return undefined;
  return await onHost("firewalld", async (host, folder, undo) => {
    const file = join(folder, "entries");
    writeFileSync(file, `${addresses(listings).join("\n")}\n`);
    const firewalld = undo.use(await startFirewalld(host, join(folder, "firewalld")));
    const options = [`--option=maxelem=${listings}`, "--option=family=inet"];
    await firewalld.command(["--permanent", "--new-ipset=fb", "--type=hash:net", ...options]);
    await firewalld.reload();
    const begunMs = performance.now();
    await firewalld.command(["--ipset=fb", `--add-entries-from-file=${file}`]);
    const tookMs = performance.now() - begunMs;
    const entries = (await firewalld.command(["--ipset=fb", "--get-entries"])).split("\n").filter(Boolean).length;
    return { tookMs, entries };
  });
}

/** From its first question until its set does not grow any more. Undefined = it is not installed here. */
export async function loadByBouncer(listings: number): Promise<PeerLoad | undefined> {
  if (needs("crowdsec-firewall-bouncer") !== false) return undefined;
  return await onHost("bouncer", async (host, folder, undo) => {
    const list = join(folder, "list");
    writeFileSync(list, addresses(listings).join("\n"));
    const lapi = host.spawn(process.execPath, [LAPI, list], { stdio: ["ignore", "pipe", "inherit"] });
    if (lapi.stdout === null) throw new Error("the local API has no pipe");
    const lines = createInterface({ input: lapi.stdout })[Symbol.asyncIterator]();
    const port = (await lines.next()).value;
    undo.use(
      await startBouncer(host, join(folder, "bouncer"), {
        ...{ mode: "iptables", apiUrl: `http://127.0.0.1:${port}/`, apiKey: "bench", caFile: "", every: "10s" },
      }),
    );
    await lines.next(); // it has asked
    return await untilStill(host, performance.now());
  });
}

async function untilStill(host: Host, begunMs: number): Promise<PeerLoad> {
  let last: PeerLoad = { tookMs: 0, entries: 0 };
  for (let stoodMs = 0; stoodMs < STANDS_STILL_MS || last.entries === 0; ) {
    await pause(LOOK_EVERY_MS);
    const listed = await host.run("ipset", ["list", "-t", BLACKLIST]).catch(() => "");
    const entries = Number(/Number of entries: (\d+)/.exec(listed)?.[1] ?? 0);
    const nowMs = performance.now() - begunMs;
    if (entries !== last.entries) last = { tookMs: nowMs, entries };
    stoodMs = nowMs - last.tookMs;
    if (last.entries === 0 && nowMs > 30_000) throw new Error("CrowdSec's bouncer adds nothing");
  }
  return last;
}

/** Single ones: firewalld refuses a file in which a network contains an address. */
function addresses(listings: number): readonly Prefix[] {
  return madeUpPrefixes(Math.ceil(listings * WITH_NETWORKS), 2)
    .filter(isSingle)
    .slice(0, listings);
}

async function onHost(
  name: string,
  load: (host: Host, folder: string, undo: AsyncDisposableStack) => Promise<PeerLoad>,
): Promise<PeerLoad> {
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "fb-bench-"));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const network = undo.use(await createNetwork());
  return await load(await network.host(name, ["20.40.0.60"]), folder, undo);
}
