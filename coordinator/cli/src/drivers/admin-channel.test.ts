import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { createAuthority } from "../../../src/enrollment/certificates.ts";
import type { ConnectOptions } from "../cli.ts";
import { CliError } from "../cli-error.ts";
import { CREDENTIAL_FILES, openAdminChannel } from "./admin-channel.ts";

const NOTHING: ConnectOptions = { socket: undefined, address: undefined, credentials: undefined };

test("credentials that are not there, or no credentials, are told in words", async (t) => {
  const folder = await folderOf(t);
  await assert.rejects(
    asked({ credentials: join(folder, "none") }),
    told("no-credentials", `${folder}/none: there is no such folder`),
  );
  await assert.rejects(
    asked({ credentials: folder }),
    told("no-credentials", `${folder}/address: cannot be read: there is no such file`),
  );
  const file = join(folder, "file");
  await writeFile(file, "");
  await assert.rejects(asked({ credentials: file }), told("no-credentials", `${file}: is no folder`));
  for (const name of Object.values(CREDENTIAL_FILES)) await writeFile(join(folder, name), "no PEM");
  await assert.rejects(
    asked({ credentials: folder }),
    told("no-credentials", `${folder}: holds no certificate with its key (PEM)`),
  );
});

test("an address that can be none is told before anything is asked", async (t) => {
  const credentials = await folderOf(t);
  for (const address of ["fleet.example.org", "fleet.example.org:77410", "https://fleet.example.org:7741"])
    await assert.rejects(asked({ address, credentials }), (error) => error instanceof CliError && error.exitCode === 2);
});

test("who does not answer is told in words, with what to look at", async (t) => {
  const folder = await folderOf(t);
  const socket = join(folder, "none.sock");
  await assert.rejects(
    asked({ socket }),
    told("unreachable", `the coordinator cannot be reached at ${socket}: there is no such socket`),
  );
  const mute = createServer((connection) =>
    connection
      .on("error", () => undefined)
      .resume()
      .end("HTTP/1.1 200 OK\r\n\r\n"),
  );
  await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
  const { port } = mute.address() as AddressInfo;
  await credentialsIn(folder);
  const address = `127.0.0.1:${port}`;
  const prefix = `the coordinator cannot be reached at ${address}:`;
  await assert.rejects(
    asked({ address, credentials: folder }),
    told("unreachable", `${prefix} what listens there speaks no TLS`),
  );
  await new Promise((resolve) => mute.close(resolve));
  await assert.rejects(asked({ address, credentials: folder }), told("unreachable", `${prefix} nobody listens there`));
  const named = asked({ address: "nobody.invalid:7741", credentials: folder });
  await assert.rejects(
    named,
    told("unreachable", "the coordinator cannot be reached at nobody.invalid:7741: that name has no address"),
  );
});

async function asked(options: Partial<ConnectOptions>): Promise<unknown> {
  const channel = openAdminChannel({ ...NOTHING, ...options }, "tester");
  try {
    return await channel.call((admin) => admin.getStatus, {});
  } finally {
    channel.close();
  }
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fb-cli-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Of an authority that no server has. */
async function credentialsIn(folder: string): Promise<void> {
  const { keyPem, certificatePem } = await createAuthority(systemRandom, Date.now());
  await writeFile(join(folder, CREDENTIAL_FILES.key), keyPem);
  for (const name of [CREDENTIAL_FILES.ca, CREDENTIAL_FILES.certificate])
    await writeFile(join(folder, name), certificatePem);
}

function told(code: string, message: string) {
  return (error: unknown) => {
    assert.ok(error instanceof CliError);
    assert.deepEqual([error.code, error.message, error.hint === undefined], [code, message, false]);
    return true;
  };
}
