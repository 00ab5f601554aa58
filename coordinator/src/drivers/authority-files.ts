/**
 * The certificate authority's two files: made at the first start, read at every other. The key is for this program's
 * account only; both files belong into the backup, for without them every agent has to enroll anew.
 */
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@fleetban/kit/clock";
import { writeFileAtomic } from "@fleetban/kit/drivers/atomic-file";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import { type Authority, createAuthority, openAuthority } from "../enrollment/certificates.ts";
import { CertificateError } from "../enrollment/errors.ts";

const CERTIFICATE_FILE = "ca.pem";
const KEY_FILE = "ca-key.pem";
const GROUP_AND_OTHERS = 0o077;

export async function openAuthorityFiles(
  folder: string,
  parts: { clock: Clock; random: Random; log: Log },
): Promise<Authority> {
  const [certificatePath, keyPath] = [join(folder, CERTIFICATE_FILE), join(folder, KEY_FILE)];
  const [certificatePem, keyPem] = [await readIfThere(certificatePath), await readIfThere(keyPath)];
  if (certificatePem !== undefined && keyPem !== undefined) {
    await refuseReadable(keyPath);
    return openAuthority({ certificatePem, keyPem });
  }
  if (certificatePem !== undefined) {
    throw new CertificateError("authority-damaged", `${keyPath}: is missing, and ${certificatePath} is there`, {
      hint: "restore it from the backup; without it agents can be neither enrolled nor renewed",
    });
  }
  const pair = await createAuthority(parts.random, parts.clock.nowMs());
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFileAtomic(keyPath, Buffer.from(pair.keyPem), 0o600); // first: a certificate is never there without its key
  await writeFileAtomic(certificatePath, Buffer.from(pair.certificatePem), 0o644);
  const authority = await openAuthority(pair);
  parts.log.info("enrollment.authority_created", { folder, fingerprint: authority.fingerprint });
  return authority;
}

async function refuseReadable(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & GROUP_AND_OTHERS) === 0) return;
  throw new CertificateError("authority-damaged", `${path}: can be read by others than its owner`, {
    hint: `run \`chmod 600 '${path}'\`, and make a new authority if somebody may have read it`,
  });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new CertificateError("authority-damaged", `${path}: cannot be read`, { cause, hint: "look at its owner" });
  }
}
