/**
 * Makes what is made from something else: the TypeScript of the protobuf files (proto/schema → proto/src/wire/gen) and
 * the handbook's page of keys and the policy's schema.
 *
 * `--check` generates into a temporary folder instead and fails when what is committed differs.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tableDocs } from "./config-docs.ts";
import { readOptions } from "./options.ts";
import { PROTO, runTool } from "./tool.ts";

const GENERATED = "src/wire/gen";

if (import.meta.main) {
  const { values } = readOptions(
    { options: { check: { type: "boolean", default: false } } },
    "npm run generate [-- --check]",
  );
  if (!values.check) {
    await runTool("buf", ["generate"], { cwd: PROTO });
    for (const [path, text] of tableDocs()) await writeFile(path, text);
  } else {
    const stale = await staleFiles();
    for (const path of stale) console.error(`proto/${GENERATED}/${path}: stale; run: npm run generate`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  }
}

/** Names, below the generated folder, of files that differ from what the schema gives now. */
async function staleFiles(): Promise<string[]> {
  const fresh = await mkdtemp(join(tmpdir(), "fleetban-generate-"));
  try {
    await runTool("buf", ["generate", "--output", fresh], { cwd: PROTO });
    const [wanted, present] = await Promise.all([
      readFolder(join(fresh, GENERATED)),
      readFolder(join(PROTO, GENERATED)),
    ]);
    const paths = new Set([...wanted.keys(), ...present.keys()]);
    return [...paths].filter((path) => wanted.get(path) !== present.get(path)).sort();
  } finally {
    await rm(fresh, { recursive: true });
  }
}

async function readFolder(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(paths.map((path) => readFile(path, "utf8")));
  return new Map(paths.map((path, index) => [path.slice(folder.length + 1), texts[index] ?? ""]));
}
