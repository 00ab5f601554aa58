/** Makes one file of a program. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../tool.ts";
import { EXTERNAL, type ProgramBuild } from "./programs.ts";

// Bundled CommonJS packages ask for Node's own modules by `require`.
const ESM_BANNER =
  'import { createRequire as fleetbanRequire } from "node:module";const require = fleetbanRequire(import.meta.url);';
const OF_FORMAT = {
  esm: { banner: { js: ESM_BANNER }, define: {} },
  // An import() there would bring the loader of ES modules along.
  cjs: { define: { "import.meta.dirname": "__dirname" }, supported: { "dynamic-import": false } },
};

/** Returns the size of what it wrote to `outfile`. `version`: of package.json, unless a test wants another program. */
export async function bundle(program: ProgramBuild, outfile: string, version?: string): Promise<number> {
  const told = version ?? (await ownVersion());
  const { define, ...format } = OF_FORMAT[program.format];
  await build({
    absWorkingDir: ROOT,
    entryPoints: [program.entry],
    outfile,
    bundle: true,
    platform: "node",
    target: "node24",
    format: program.format,
    minifySyntax: true,
    minifyWhitespace: true,
    minifyIdentifiers: program.minifyNames,
    keepNames: true, // errors and logs show the names of classes
    alias: { "@grpc/proto-loader": join(ROOT, "tools/build/proto-loader.mjs") },
    external: EXTERNAL,
    ...format,
    define: { "process.env.FLEETBAN_VERSION": JSON.stringify(told), ...define },
    legalComments: "linked",
    logLevel: "warning",
  });
  const bytes = await readFile(outfile);
  const other = bytes.findIndex((byte) => byte > 0x7f);
  if (other >= 0) {
    const text = bytes.toString("utf8", Math.max(0, other - 40), other + 40);
    throw new Error(
      `${program.name}: write …${text}… with \\u in its source: one such character doubles the bundle in memory`,
    );
  }
  return bytes.length;
}

async function ownVersion(): Promise<string> {
  return (JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string }).version;
}
