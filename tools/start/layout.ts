/**
 * Where everything lies in the data folder; and where its sockets lie, which the kernel wants to have short paths.
 *
 * A data folder deep in the tree gets a folder for its sockets elsewhere, always the same one, and a link to it at the usual
 * place, which the admin CLI follows.
 */
import { createHash } from "node:crypto";
import { access, chmod, constants, lstat, mkdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartError } from "./start-error.ts";

export interface Layout {
  readonly dataDir: string;
  readonly coordinator: { readonly dataDir: string; readonly config: string; readonly log: string };
  readonly agent: { readonly dataDir: string; readonly config: string; readonly log: string };
  readonly runFile: string;
  readonly adminSocket: string;
  readonly agentSocket: string;
  /** When nothing runs any more: takes away what lies outside the data folder. */
  tidy(): Promise<void>;
}

const SOCKET_PATH_MAX_BYTES = 107; // sun_path holds 108, with the NUL
const LONGEST_NAME = "agent.sock.new";

export async function makeLayout(dataDir: string): Promise<Layout> {
  await makeFolder(dataDir, 0o755);
  const run = join(dataDir, "run");
  const sockets = isShort(run) ? run : await shortFolder(dataDir);
  await makeFolder(join(dataDir, "coordinator"), 0o755); // as root, its Postgres has another account
  await makeFolder(join(dataDir, "log"), 0o700);
  if (sockets === run) await makeFolder(run, 0o700);
  else await link(sockets, run);
  const of = (name: string) => ({
    dataDir: join(dataDir, name),
    config: join(dataDir, `${name}.yaml`),
    log: join(dataDir, "log", `${name}.log`),
  });
  return {
    dataDir,
    coordinator: of("coordinator"),
    agent: of("agent"),
    runFile: join(dataDir, "npm-start.json"),
    adminSocket: join(sockets, "admin.sock"),
    agentSocket: join(sockets, "agent.sock"),
    async tidy() {
      if (sockets !== run) await rm(sockets, { recursive: true, force: true });
    },
  };
}

async function makeFolder(folder: string, mode: number): Promise<void> {
  try {
    const made = await mkdir(folder, { recursive: true });
    if (made !== undefined) await chmod(folder, mode); // whatever the umask
    await access(folder, constants.W_OK);
  } catch (cause) {
    throw new StartError("data-unwritable", `${folder}: can't be written (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
      hint: "run it as the account that made the folder, or keep the data elsewhere: npm start -- --data DIR",
    });
  }
}

function isShort(folder: string): boolean {
  return Buffer.byteLength(join(folder, LONGEST_NAME)) <= SOCKET_PATH_MAX_BYTES;
}

async function shortFolder(dataDir: string): Promise<string> {
  const name = `fleetban-${createHash("sha256").update(dataDir).digest("hex").slice(0, 16)}`;
  const uid = process.getuid?.() ?? 0;
  const folder = join(uid === 0 ? "/run" : (process.env.XDG_RUNTIME_DIR ?? tmpdir()), name);
  await mkdir(folder, { mode: 0o700, recursive: true });
  const there = await lstat(folder);
  if (there.isDirectory() && there.uid === uid) return folder;
  throw new StartError("data-unwritable", `${folder}: belongs to somebody else`, {
    hint: "remove it, or choose a shorter --data",
  });
}

async function link(to: string, path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }); // the link of an earlier start, or sockets of a time when the path was short
  await symlink(to, path);
}
