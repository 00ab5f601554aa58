/** `npm run bench -- NAME [--quick] [--json]`: runs one benchmark; without a name, says which there are. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./tool.ts";

const SUFFIX = ".bench.ts";
const FOLDER = join(ROOT, "bench");

const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.slice(0, -SUFFIX.length));
const [name, ...args] = process.argv.slice(2);

if (name === undefined || !names.includes(name)) {
  const problem =
    name === undefined ? "a benchmark's name is missing" : `there is no benchmark ${JSON.stringify(name)}`;
  console.error(`fleetban: error: ${problem}; write npm run bench -- NAME [--quick] [--json]`);
  console.error(`fleetban: hint: NAME is one of ${names.join(", ")}`);
  process.exitCode = 2;
} else {
  const child = spawn(process.execPath, [join(FOLDER, `${name}${SUFFIX}`), ...args], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.exitCode = code ?? 1;
}
