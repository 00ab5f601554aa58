/** The folder that Postgres keeps its data in: made once by initdb, under another name until it is whole. */
import { execFile } from "node:child_process";
import { chmod, chown, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { EMBEDDED_USER } from "../connect.ts";
import { StoreError } from "../store-error.ts";
import type { Account, RunAs } from "./account.ts";
import type { PostgresProgram } from "./program.ts";

/** Undefined = there is no cluster yet. */
export async function majorOfCluster(cluster: string): Promise<number | undefined> {
  const text = await readFile(join(cluster, "PG_VERSION"), "utf8").catch(() => "");
  return text === "" ? undefined : Number.parseInt(text, 10);
}

export async function makeCluster(cluster: string, program: PostgresProgram, as: RunAs, account: Account | undefined) {
  const growing = `${cluster}.new`;
  await rm(growing, { recursive: true, force: true });
  await mkdir(growing, { mode: 0o700 });
  await chmod(growing, 0o700);
  if (account !== undefined) await chown(growing, account.uid, account.gid);
  const args = ["--pgdata", growing, "--username", EMBEDDED_USER, "--auth", "trust", "--encoding", "UTF8"];
  // Trust: the socket's folder lets in the account and root, who own the data anyway.
  const {
    file,
    args: all,
    ...who
  } = as.command(join(program.folder, "initdb"), [...args, "--locale", "C", "--no-instructions"], "alone");
  try {
    await promisify(execFile)(file, all, { ...who, cwd: growing, env: { PATH: process.env.PATH ?? "" } });
  } catch (cause) {
    const said = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim() : String(cause);
    throw new StoreError("postgres-not-started", `initdb failed: ${said}`, {
      hint: "run as root or as an account that /etc/passwd knows, or give the URL of a Postgres server as databaseUrl",
      cause,
    });
  }
  await rename(growing, cluster);
}
