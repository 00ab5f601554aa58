/** Makes one file of a program. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../tool.ts";
import { EXTERNAL, type ProgramBuild } from "./programs.ts";

// Bundled CommonJS packages ask for Node's own modules by `require`.
const BANNER =
  'import { createRequire as fleetbanRequire } from "node:module";const require = fleetbanRequire(import.meta.url);';

/** Returns the size of what it wrote to `outfile`. */
export async function bundle(program: ProgramBuild, outfile: string): Promise<number> {
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
  await build({
    absWorkingDir: ROOT,
    entryPoints: [program.entry],
    outfile,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    minifySyntax: true,
    minifyWhitespace: true,
    minifyIdentifiers: program.minifyNames,
    keepNames: true, // errors and logs show the names of classes
    alias: { "@grpc/proto-loader": join(ROOT, "tools/build/proto-loader.mjs") },
    external: EXTERNAL,
    define: { "process.env.FLEETBAN_VERSION": JSON.stringify(version) },
    banner: { js: BANNER },
    legalComments: "linked",
    logLevel: "warning",
  });
  const bytes = await readFile(outfile);
  return bytes.length;
}
