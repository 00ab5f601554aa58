/**
 * Files and folders under a root, each put in place once and told once: what is as it should be is not touched.
 *
 * A file is written beside its place and renamed over it, so that a program that reads it, or runs it, finds the old or the
 * new one whole.
 */
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { FleetbanError } from "@fleetban/kit/errors";
import { exists } from "./assets.ts";

export interface FileSettings {
  readonly mode: number;
  /** `operator`: written once, and theirs from then on. */
  readonly owner?: "operator";
}

/** Paths are those of the server, `/etc/…`, whatever the root. */
export interface Places {
  readonly root: string;
  has(path: string): Promise<boolean>;
  /** Empty when it isn't there. */
  read(path: string): Promise<string>;
  ownerOf(path: string): Promise<{ readonly uid: number; readonly gid: number }>;
  folder(path: string, mode: number, owner?: { readonly uid: number; readonly gid: number }): Promise<void>;
  file(path: string, text: string, settings: FileSettings): Promise<void>;
  /** A copy of a file or folder, with its times; made anew when path, size or time of a file differ. */
  copy(path: string, from: string): Promise<void>;
  link(path: string, to: string): Promise<void>;
  /** What was done, a line each, in order. */
  done(): readonly string[];
}

export async function openPlaces(root: string): Promise<Places> {
  const base = resolve(root);
  if (!(await exists(base))) {
    throw new FleetbanError("no-such-root", `${root}: there is no such folder`, {
      hint: "make it first, or correct --root",
    });
  }
  const lines: string[] = [];
  const at = (path: string) => join(base, path);
  const tell = (path: string, what: string) => void lines.push(`${what.padEnd(9)} ${at(path)}`);

  return {
    root: base,
    has: (path) => exists(at(path)),
    read: (path) => readFile(at(path), "utf8").catch(() => ""),
    ownerOf: (path) => stat(at(path)),
    async folder(path, mode, owner) {
      const isNew = !(await exists(at(path)));
      await mkdir(at(path), { recursive: true });
      if (isNew || ((await stat(at(path))).mode & 0o777) !== mode) await chmod(at(path), mode); // whatever the umask
      if (isNew && owner !== undefined && process.getuid?.() === 0) await chown(at(path), owner.uid, owner.gid);
      tell(path, isNew ? "made" : "unchanged");
    },
    async file(path, text, { mode, owner }) {
      const before = await readFile(at(path), "utf8").catch(() => undefined);
      if (before === text && ((await stat(at(path))).mode & 0o777) === mode) return tell(path, "unchanged");
      if (before !== undefined && before !== text && owner === "operator") return tell(path, "kept");
      await mkdir(dirname(at(path)), { recursive: true });
      const growing = `${at(path)}.fleetban-new`;
      await writeFile(growing, text, { mode });
      await chmod(growing, mode);
      await rename(growing, at(path));
      tell(path, before === undefined ? "written" : "replaced");
    },
    async copy(path, from) {
      const isNew = !(await exists(at(path)));
      if (!isNew && (await inventory(from)) === (await inventory(at(path)))) return tell(path, "unchanged");
      await mkdir(dirname(at(path)), { recursive: true });
      const growing = `${at(path)}.fleetban-new`;
      await rm(growing, { recursive: true, force: true });
      await cp(from, growing, { recursive: true, dereference: true, preserveTimestamps: true });
      if ((await stat(growing)).isDirectory()) await rm(at(path), { recursive: true, force: true });
      await rename(growing, at(path));
      tell(path, isNew ? "written" : "replaced");
    },
    async link(path, to) {
      const there = await lstat(at(path)).catch(() => undefined);
      if (there?.isSymbolicLink() === true && (await readlink(at(path))) === to) return tell(path, "unchanged");
      if (there !== undefined && !there.isSymbolicLink()) return tell(path, "kept");
      await mkdir(dirname(at(path)), { recursive: true });
      await rm(at(path), { force: true });
      await symlink(to, at(path));
      tell(path, there === undefined ? "linked" : "replaced");
    },
    done: () => lines,
  };
}

/** Every file at or below a path, with size and time. */
async function inventory(path: string): Promise<string> {
  const found = await stat(path);
  if (found.isFile()) return `${found.size} ${Math.floor(found.mtimeMs / 1_000)} ${found.mode}`;
  const names = (await readdir(path)).sort();
  const each = await Promise.all(names.map(async (name) => `${name} ${await inventory(join(path, name))}`));
  return each.join("\n");
}
