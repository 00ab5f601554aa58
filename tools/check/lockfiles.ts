/**
 * Checks that the lock files pin by hash and not by place: no address of a registry is in them, so that each
 * installation uses the registry that its own machine is configured for.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../tool.ts";

const LOCK_FILES = ["pnpm-lock.yaml", "tools/package-lock.json"];
const PLACE = /"resolved"|tarball:|registry=|https?:\/\/[^\s"']*\.tgz/;

for (const path of LOCK_FILES) {
  const text = await readFile(join(ROOT, path), "utf8");
  for (const [index, line] of text.split("\n").entries()) {
    if (!PLACE.test(line)) continue;
    console.error(`${path}:${index + 1}: names a place: ${line.trim()}; install again with the .npmrc of that folder`);
    process.exitCode = 1;
  }
}
