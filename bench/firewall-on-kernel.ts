/** The agent's mirror and firewall over the real kernel of this network namespace, without link and sources. */
import { dataFiles } from "@fleetban/agent/drivers/data-files";
import { loadNetlink } from "@fleetban/agent/drivers/netlink";
import { spawn } from "@fleetban/agent/drivers/spawn";
import type { Backend } from "@fleetban/agent/firewall/backend";
import { createFirewall, type Firewall } from "@fleetban/agent/firewall/firewall";
import { type IpsetBackendParts, openIpsetBackend } from "@fleetban/agent/firewall/ipset/ipset-backend";
import type { PaceLimits } from "@fleetban/agent/firewall/pacing";
import { Mirror } from "@fleetban/agent/mirror/mirror";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import type { Blocklist } from "@fleetban/proto/model/blocklist";
import type { List, Revision } from "@fleetban/proto/model/listing";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { EPOCH, EXEMPT, FEEDS, FLEET, heldFixture } from "../agent/src/mirror/mirror.fixture.ts";

export interface KernelFirewall {
  readonly mirror: Mirror;
  readonly firewall: Firewall;
  /** As a snapshot does; resolves when all of it is in the kernel. */
  enforce(list: List, blocklist: Blocklist): Promise<void>;
}

export type OpenBackend = (parts: IpsetBackendParts) => Promise<Backend>;

const LEASE_SECONDS = 604_800;
const LOCAL_SECONDS = 86_400;
const OWN = parsePrefix("20.40.0.11");

/** With the usual lists, empty, and rules in force; `folder` for the files of the boot load. */
export async function openKernelFirewall(
  pace: PaceLimits,
  folder: string,
  openBackend: OpenBackend = openIpsetBackend,
): Promise<KernelFirewall> {
  const [clock, log] = [systemClock, silentLog];
  const mirror = new Mirror(clock);
  const waiting = new Map<number, { readonly revision: Revision; resolve(): void }>();
  const firewall = createFirewall(
    {
      ...{ mirror, clock, log },
      backend: await openBackend({ loadNetlink, spawn, clock, log }),
      ledgerClock: clock,
      random: systemRandom,
      files: dataFiles(folder),
      onEnforced(list) {
        const one = waiting.get(list);
        if (one !== undefined && firewall.applied(list)?.revision === one.revision) one.resolve();
      },
    },
    { capacity: 0, leaseSeconds: LEASE_SECONDS, localSeconds: LOCAL_SECONDS, pace },
  );

  async function enforce(list: List, blocklist: Blocklist): Promise<void> {
    const revision = ((mirror.get(list.list)?.held?.revision ?? 0) + 1) as Revision;
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(list.list, { revision, resolve });
    const held = { blocklist, epoch: EPOCH, revision, committedAtMs: 0, isDigestProven: true };
    firewall.onSnapshot(list.list, mirror.replace(list.list, held), true);
    await promise;
  }

  await firewall.start();
  firewall.setOwn([OWN]);
  void firewall.run(new AbortController().signal); // ends with the process
  mirror.setLists([EXEMPT, FLEET, FEEDS]);
  for (const list of [EXEMPT, FLEET, FEEDS]) await enforce(list, heldFixture(list.list, []).blocklist);
  return { mirror, firewall, enforce };
}
