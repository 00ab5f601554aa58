/**
 * Who this agent is: its key, its certificate and the fleet's CA, as files in the agent's data directory.
 *
 * The key is made on this server and never leaves it. The three are one file each, written whole or not at all.
 */

import { X509Certificate } from "node:crypto";
import { constants, readFileSync } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "@fleetban/kit/drivers/atomic-file";
import { FleetbanError } from "@fleetban/kit/errors";

export interface Identity {
  readonly agentId: string;
  /** `host:port` of the Fleet service, in the order to try. */
  readonly coordinators: readonly string[];
  readonly caPem: string;
  readonly keyPem: string;
  readonly certificatePem: string;
}

const FILE = "identity.json";

/** Rejects with FleetbanError `folder-unusable` when no identity could be saved there. */
export async function prepareIdentityFolder(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await access(dataDir, constants.W_OK);
  } catch (cause) {
    throw new FleetbanError("folder-unusable", `folder ${dataDir}: ${(cause as Error).message}`, {
      cause,
      hint: "run it as root, or name a folder that you may write to with --data-dir",
    });
  }
}

/** One file, so that key and certificate always belong together. */
export async function saveIdentity(dataDir: string, identity: Identity): Promise<string> {
  await prepareIdentityFolder(dataDir);
  const path = join(dataDir, FILE);
  await writeFileAtomic(path, Buffer.from(`${JSON.stringify(identity, null, 2)}\n`), 0o600);
  return path;
}

/** Undefined = not enrolled. Throws FleetbanError `identity-damaged`. */
export function readIdentity(dataDir: string): Identity | undefined {
  const path = join(dataDir, FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new FleetbanError("identity-unreadable", `${path}: cannot be read: ${(cause as Error).message}`, {
      cause,
      hint: "run the agent as root, or as the user that enrolled it",
    });
  }
  try {
    const identity = JSON.parse(text) as Identity;
    new X509Certificate(identity.certificatePem);
    return identity;
  } catch (cause) {
    throw new FleetbanError("identity-damaged", `${path}: is damaged`, {
      cause,
      hint: "enroll this server anew with `fleetban-agent enroll TOKEN`",
    });
  }
}

export interface IdentityHolder {
  /** Undefined = not enrolled; the file is looked for anew until it is there. */
  get(): Identity | undefined;
  must(): Identity;
  life(): { beginsAtMs: number; endsAtMs: number } | undefined;
  put(identity: Identity): Promise<void>;
}

/** The identity in memory, so that neither a status nor a dial reads the file. */
export function createIdentityHolder(dataDir: string): IdentityHolder {
  let held: { readonly identity: Identity; readonly life: { beginsAtMs: number; endsAtMs: number } } | undefined;
  const hold = (identity: Identity) => ({ identity, life: certificateLife(identity) });

  function look() {
    if (held !== undefined) return held;
    const identity = readIdentity(dataDir);
    held = identity === undefined ? undefined : hold(identity);
    return held;
  }

  return {
    get: () => look()?.identity,
    life: () => look()?.life,
    must() {
      held = undefined; // at each dial: the server may have been enrolled anew meanwhile
      const identity = look()?.identity;
      if (identity === undefined) throw new Error("internal error: the identity is asked for before enrollment");
      return identity;
    },
    async put(identity) {
      await saveIdentity(dataDir, identity);
      held = hold(identity);
    },
  };
}

function certificateLife({ certificatePem }: Identity): { beginsAtMs: number; endsAtMs: number } {
  const { validFromDate, validToDate } = new X509Certificate(certificatePem);
  return { beginsAtMs: validFromDate.getTime(), endsAtMs: validToDate.getTime() };
}
