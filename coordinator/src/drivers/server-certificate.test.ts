import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "node:tls";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { until } from "../../../test/support/until.ts";
import { createAuthority, openAuthority } from "../enrollment/certificates.ts";
import { listenOnPort } from "./grpc-server.ts";
import { openServerCertificates } from "./server-certificate.ts";

const DAY_MS = 86_400_000;

test("the server's certificate is renewed when a third of its time is left, on the same listening port", async (t) => {
  const clock = createVirtualClock(Date.now());
  const authority = await openAuthority(await createAuthority(systemRandom, clock.nowMs()));
  const certificates = await openServerCertificates(authority, { clock, random: systemRandom, log: silentLog });
  const place = { host: "127.0.0.1", port: 0, purpose: "test", key: "test" };
  const listener = await listenOnPort(place, certificates.serverOnly, () => undefined, systemClock);
  t.after(() => listener.close());
  const stop = new AbortController();
  const running = certificates.run(stop.signal).catch(() => undefined);
  const first = await serialAt(listener.port);
  await clock.run(59 * DAY_MS);
  assert.equal(await serialAt(listener.port), first);
  await clock.run(61 * DAY_MS);
  await until("another certificate", async () => (await serialAt(listener.port)) !== first);
  stop.abort(new Error("over"));
  await running;
});

function serialAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"] }, () => {
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      resolve(serialNumber);
    });
    socket.once("error", reject);
  });
}
