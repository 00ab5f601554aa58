/**
 * Builds dist/: a bundle and a launcher for each program, and what they need beside them.
 *
 * Nothing is done when no input changed. It is made in a folder of its own and takes the place of the old one at the
 * end, so that a program which starts meanwhile finds the one or the other.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ASSETS, bundleFile, PROGRAMS } from "./build/programs.ts";
import { readStamp, stampOfInputs } from "./build/stamp.ts";
import { readOptions } from "./options.ts";
import { ROOT } from "./tool.ts";

const DIST = join(ROOT, "dist");
const STAMP = ".stamp";

const { values } = readOptions(
  { options: { quiet: { type: "boolean", default: false }, force: { type: "boolean", default: false } } },
  "npm run build [-- [--quiet] [--force]]",
);

const stamp = await stampOfInputs();
if (values.force || (await readStamp(join(DIST, STAMP))) !== stamp) await buildAll();
else tell("dist/ is up to date");

async function buildAll(): Promise<void> {
  const next = join(ROOT, "dist.next");
  await rm(next, { recursive: true, force: true });
  await mkdir(next);
  for (const program of PROGRAMS) {
    if (existsSync(join(ROOT, program.entry))) await buildProgram(program, next);
    else console.error(`fleetban: ${program.entry} does not exist yet, ${program.name} is not built`);
  }
  for (const { from, to } of ASSETS) {
    if (existsSync(join(ROOT, from))) await cp(join(ROOT, from), join(next, to), { recursive: true });
  }
  const { addExternalPackages } = await import("./build/external-packages.ts");
  await addExternalPackages(next);
  await writeFile(join(next, STAMP), stamp);
  await replace(next);
}

async function buildProgram(program: (typeof PROGRAMS)[number], next: string): Promise<void> {
  const { bundle } = await import("./build/bundle.ts");
  const { writeLauncher } = await import("./build/launcher.ts");
  const sizeBytes = await bundle(program, join(next, bundleFile(program)));
  await writeLauncher(program, next);
  tell(`dist/bin/${program.name} (${Math.round(sizeBytes / 1_000)} kB)`);
}

async function replace(next: string): Promise<void> {
  const old = join(ROOT, "dist.old");
  await rm(old, { recursive: true, force: true });
  if (existsSync(DIST)) await rename(DIST, old);
  await rename(next, DIST);
  await rm(old, { recursive: true, force: true });
}

function tell(text: string): void {
  if (!values.quiet) console.log(text);
}
