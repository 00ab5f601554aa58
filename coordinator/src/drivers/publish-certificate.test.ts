import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readConfig } from "@fleetban/kit/config";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import { until } from "../../../test/support/until.ts";
import { createAuthority, openAuthority } from "../enrollment/certificates.ts";
import { PUBLISH_CONFIG } from "../published/publish-config.ts";
import { openPublishCertificate } from "./publish-certificate.ts";
import type { PemPair } from "./publish-listener.ts";

const START_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

test("the own certificate is good for the names that clients ask for, and is renewed in time", async (t) => {
  const { open, clock, given } = await prepare(t);
  const first = await open("publish: { port: 7745 }", ["coordinator.example", "20.40.0.10", "2600::1"]);
  const certificate = new X509Certificate(first?.certificatePem ?? "");
  assert.equal(certificate.checkHost("coordinator.example"), "coordinator.example");
  assert.equal(certificate.checkHost("localhost"), "localhost");
  assert.equal(certificate.checkIP("20.40.0.10"), "20.40.0.10");
  assert.equal(certificate.checkIP("2600::1"), "2600::1");
  assert.equal(certificate.checkHost("elsewhere.example"), undefined);
  await clock.run(61 * 24 * HOUR_MS);
  await until("a new one", () => given.length === 1);
  assert.ok(Date.parse(new X509Certificate(given[0]?.certificatePem ?? "").validTo) > Date.parse(certificate.validTo));
});

test("a certificate in files is read anew when it has changed, and kept when it can't be read", async (t) => {
  const { open, clock, given, folder } = await prepare(t);
  const [certificate, key] = [join(folder, "c.pem"), join(folder, "k.pem")];
  await writeFile(certificate, "one");
  await writeFile(key, "key");
  const first = await open(`publish: { tls: files, certificate_file: ${certificate}, key_file: ${key} }`, []);
  assert.equal(first?.certificatePem, "one");
  await rm(certificate);
  await clock.run(HOUR_MS);
  await writeFile(`${certificate}.new`, "two");
  await rename(`${certificate}.new`, certificate); // whole: it may just be read
  let hours = 1;
  await until("it is read", async () => {
    hours += 1;
    await clock.run(hours * HOUR_MS); // the files are real, and read when the machine has time for it
    return given.length > 0;
  });
  assert.deepEqual(given, [{ certificatePem: "two", keyPem: "key" }]);
});

test("files that are not there are told with their key", async (t) => {
  const { open } = await prepare(t);
  await assert.rejects(open("publish: { tls: files, certificate_file: /no/c.pem, key_file: /no/k.pem }", []), {
    code: "certificate-unreadable",
    message: 'publish.certificate_file is "/no/c.pem": cannot be read',
  });
});

async function prepare(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "fb-"));
  const clock = createVirtualClock(START_MS);
  const authority = await openAuthority(await createAuthority(systemRandom, START_MS));
  const stop = new AbortController();
  const given: PemPair[] = [];
  t.after(async () => {
    stop.abort(new Error("the test is over"));
    await rm(folder, { recursive: true });
  });
  const open = async (text: string, hosts: readonly string[]) => {
    const config = readConfig(text, "c.yaml", PUBLISH_CONFIG);
    const parts = { config, authority, hosts, clock, random: systemRandom, log: silentLog };
    const { first, follow } = await openPublishCertificate(parts);
    follow((pair) => given.push(pair), stop.signal).catch(() => undefined); // ends with the test
    return first;
  };
  return { open, clock, given, folder };
}
