import { test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { silentLog } from "@fleetban/kit/log";
import { enterFreshNetns } from "../../../../test/support/netns.ts";
import { readLocalPorts } from "../../drivers/local-ports.ts";
import { loadRouteNetlink } from "../../drivers/netlink.ts";
import { CONFORMANCE_CASES } from "../conformance.fixture.ts";
import { openBlackholeBackend } from "./blackhole-backend.ts";

const skip = enterFreshNetns();

for (const { name, run } of CONFORMANCE_CASES) {
  test(`blackhole: ${name}`, { skip }, async () => {
    const backend = await openBlackholeBackend({
      openSocket: async () => (await loadRouteNetlink())(0),
      ownPorts: readLocalPorts,
      clock: systemClock,
      log: silentLog,
    });
    try {
      await run(backend);
    } finally {
      await backend.uninstall();
      await backend.close();
    }
  });
}
