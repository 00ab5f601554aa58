/** Reads never-ban packs from disk: those that come with the program, and an operator's own, which go before. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FleetbanError } from "@fleetban/kit/errors";
import { type Pack, type Packs, packName, parsePack } from "../guardrails/pack.ts";

/** In the source tree beside the room that they belong to, in a bundle beside it. */
const SHIPPED = ["../guardrails/packs/", "./packs/"].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/** By name. An own pack of the same name takes the place of the shipped one: so packs are brought up to date. */
export async function readPacks(ownFolder: string | undefined): Promise<Packs> {
  const shipped = await readFirst(SHIPPED);
  const own = ownFolder === undefined ? [] : await readOwn(ownFolder);
  return new Map([...shipped, ...own].map((pack) => [pack.name, pack]));
}

async function readFirst(folders: readonly string[]): Promise<Pack[]> {
  for (const folder of folders) {
    const packs = await readFolder(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (packs !== undefined) return packs;
  }
  throw new Error(`internal error: the program's packs are in none of ${folders.join(", ")}`);
}

async function readOwn(folder: string): Promise<Pack[]> {
  try {
    return await readFolder(folder);
  } catch (cause) {
    if (cause instanceof FleetbanError) throw cause;
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new FleetbanError("bad-config", `packs_dir is ${folder}: cannot be read (${why})`, {
      hint: "look at its path and owner, or remove packs_dir",
      cause,
    });
  }
}

async function readFolder(folder: string): Promise<Pack[]> {
  const names = (await readdir(folder)).sort().flatMap((file) => packName(file) ?? []);
  return Promise.all(names.map(async (name) => parsePack(name, await readFile(join(folder, `${name}.txt`), "utf8"))));
}
