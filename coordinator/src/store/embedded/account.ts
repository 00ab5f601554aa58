/**
 * The account that Postgres runs under, since it refuses root: the coordinator's own, or as root `fleetban`, else
 * `nobody`. Data that is there already keeps its owner.
 *
 * An account that may not pass through a folder above the data (a home of mode 0700) is given one capability by
 * setpriv, to read and search any folder; access(2) ignores it, so the programs must lie elsewhere then. Where setpriv is there, Postgres is also told to shut down when the
 * coordinator dies without a word.
 */
import { constants } from "node:fs";
import { access, readFile, stat } from "node:fs/promises";
import { delimiter, dirname, join, resolve } from "node:path";
import { StoreError } from "../store-error.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

export interface RunAs {
  /** How to run a program of Postgres' on this data. */
  command(program: string, args: readonly string[], dies: "with us" | "alone"): Command;
  /** Whether the account reaches the data's folder by itself. */
  readonly isReachable: boolean;
}

/** Undefined = we are no root, so nothing is to be changed. */
export async function accountFor(cluster: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = await knownAccounts();
  const owner = await stat(cluster).then(
    ({ uid }) => accounts.find((account) => account.uid === uid),
    () => undefined,
  );
  if (owner !== undefined && owner.uid !== 0) return owner;
  const found = accounts.find(({ name }) => name === "fleetban") ?? accounts.find(({ name }) => name === "nobody");
  if (found !== undefined) return found;
  throw new StoreError("postgres-not-started", "Postgres refuses to run as root, and there is no other account", {
    hint: "make one: useradd --system fleetban",
  });
}

export async function runAs(account: Account | undefined, folder: string): Promise<RunAs> {
  const setpriv = await findInPath("setpriv");
  if (account === undefined) {
    return { isReachable: true, command: (program, args, dies) => dying(setpriv, dies, program, args) };
  }
  const { uid, gid } = account;
  const closed = await closedFolder(folder, account);
  if (closed === undefined) {
    return {
      isReachable: true,
      command: (program, args, dies) => ({ ...dying(setpriv, dies, program, args), uid, gid }),
    };
  }
  if (setpriv === undefined) throw unreachable(closed, account);
  const change = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const search = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"];
  return {
    isReachable: false,
    command: (program, args, dies) => ({
      file: setpriv,
      args: [...change, ...search, ...deathSignal(dies), program, ...args],
    }),
  };
}

function dying(setpriv: string | undefined, dies: "with us" | "alone", file: string, args: readonly string[]): Command {
  if (setpriv === undefined || dies === "alone") return { file, args };
  return { file: setpriv, args: [...deathSignal(dies), file, ...args] };
}

/** Fast shutdown. */
function deathSignal(dies: "with us" | "alone"): string[] {
  return dies === "with us" ? ["--pdeathsig=INT"] : [];
}

/** The outermost folder on the way that the account can't pass. */
async function closedFolder(folder: string, account: Account): Promise<string | undefined> {
  const way: string[] = [];
  for (let at = resolve(folder); way.at(-1) !== at; at = dirname(at)) way.push(at);
  for (const at of way.reverse()) {
    const { mode, uid, gid } = await stat(at);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return at;
  }
  return undefined;
}

function unreachable(closed: string, account: Account): StoreError {
  return new StoreError(
    "data-folder-unreachable",
    `account ${account.name}, under which Postgres runs, can't pass ${closed}`,
    {
      hint: `chmod o+x ${closed}, install util-linux (setpriv), or put the data elsewhere`,
    },
  );
}

async function knownAccounts(): Promise<Account[]> {
  const text = await readFile("/etc/passwd", "utf8");
  return text
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields.length >= 7)
    .map(([name = "", , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}

async function findInPath(program: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "/usr/bin:/bin").split(delimiter)) {
    const path = join(folder, program);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}
