import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { enterFreshNetns } from "../../../../test/support/netns.ts";
import { loadNetlink } from "../../drivers/netlink.ts";
import type { Backend } from "../backend.ts";
import { CONFORMANCE_CASES } from "../conformance.fixture.ts";
import type { KernelFeatures } from "./kernel-features.ts";
import { openNftablesBackend } from "./nftables-backend.ts";

const skip = enterFreshNetns();

/** As this kernel is, and as an old one is: what it has not is not used. */
const KERNELS: Readonly<Record<string, { features?: KernelFeatures }>> = {
  "this kernel": {},
  "a kernel of 2022": { features: { counts: true, renews: false, forgives: false, sizes: false } },
};

for (const [kernel, features] of Object.entries(KERNELS)) {
  const check = (name: string, run: (backend: Backend) => Promise<void>) =>
    test(`${kernel}: ${name}`, { skip }, async () => {
      const backend = await openNftablesBackend({ loadNetlink, clock: systemClock, log: silentLog, ...features });
      try {
        await run(backend);
      } finally {
        await backend.uninstall();
        await backend.close();
      }
    });

  for (const { name, run } of CONFORMANCE_CASES) check(name, run);
}
