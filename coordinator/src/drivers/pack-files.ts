/** Reads never-ban packs from disk: those that come with the program, and an operator's own, which go before. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FleetbanError } from "@fleetban/kit/errors";
import { fileProblem } from "@fleetban/kit/file-problem";
import { type Pack, type Packs, packName, parsePack } from "../guardrails/pack.ts";

/** In the source tree beside the room that they belong to, in a bundle beside it. */
const SHIPPED = ["../guardrails/packs/", "./packs/"].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/**
 * By name. An own pack of the same name takes the place of the shipped one: so packs are brought up to date. An own one
 * with a mistake is told and left out; what is in force of it stays.
 */
export async function readPacks(ownFolder: string | undefined, onBad: (error: unknown) => void): Promise<Packs> {
  const shipped = await readFirst(SHIPPED);
  const own = ownFolder === undefined ? [] : await readOwn(ownFolder, onBad);
  return new Map([...shipped, ...own].map((pack) => [pack.name, pack]));
}

async function readFirst(folders: readonly string[]): Promise<Pack[]> {
  for (const folder of folders) {
    const names = await packsIn(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (names !== undefined) return await Promise.all(names.map((name) => readPack(folder, name)));
  }
  throw new Error(`internal error: the program's packs are in none of ${folders.join(", ")}`);
}

async function readOwn(folder: string, onBad: (error: unknown) => void): Promise<Pack[]> {
  const names = await packsIn(folder).catch((cause: NodeJS.ErrnoException) => {
    const hint = "look at its path and owner, or remove packs_dir";
    const message = `packs_dir is ${folder}: cannot be read: ${fileProblem(cause)}`;
    onBad(new FleetbanError("bad-config", message, { hint, cause }));
    return [];
  });
  const read = await Promise.allSettled(names.map((name) => readPack(folder, name)));
  for (const one of read) if (one.status === "rejected") onBad(one.reason);
  return read.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}

async function packsIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).sort().flatMap((file) => packName(file) ?? []);
}

async function readPack(folder: string, name: string): Promise<Pack> {
  return parsePack(name, await readFile(join(folder, `${name}.txt`), "utf8"));
}
