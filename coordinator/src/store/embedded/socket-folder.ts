/** Where the server's unix socket lies: in the data folder, or in a short place when that path would be too long. */
import { createHash } from "node:crypto";
import { chmod, chown, lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SOCKET_PORT } from "../connect.ts";
import { StoreError } from "../store-error.ts";
import type { Account } from "./account.ts";

const SOCKET_PATH_MAX_BYTES = 107; // sun_path holds 108, with the NUL

/** Mode 0700: whoever reaches the socket is the database's superuser. */
export async function makeSocketFolder(folder: string, account: Account | undefined): Promise<string> {
  const path = isShort(folder) ? folder : shortFolder(folder);
  const uid = account?.uid ?? process.getuid?.() ?? 0;
  await mkdir(path, { mode: 0o700, recursive: true });
  const there = await lstat(path);
  if (!there.isDirectory() || (there.uid !== uid && there.uid !== (process.getuid?.() ?? 0))) {
    throw new StoreError("postgres-not-started", `${path}: belongs to somebody else`, {
      hint: "remove it, or use a shorter data folder",
    });
  }
  await chmod(path, 0o700);
  if (account !== undefined) await chown(path, account.uid, account.gid);
  return path;
}

function isShort(folder: string): boolean {
  return Buffer.byteLength(join(folder, `.s.PGSQL.${SOCKET_PORT}`)) <= SOCKET_PATH_MAX_BYTES;
}

/** The same for the same data at every start. */
function shortFolder(folder: string): string {
  const name = `fleetban-${createHash("sha256").update(folder).digest("hex").slice(0, 16)}`;
  const isRoot = process.getuid?.() === 0;
  return join(isRoot ? "/run" : (process.env.XDG_RUNTIME_DIR ?? tmpdir()), name);
}
