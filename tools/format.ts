/** Formats, sorts imports and applies the safe fixes: everywhere, or in the paths that are given. */
import { runTool } from "./tool.ts";

await runTool("biome", ["check", "--write", ...process.argv.slice(2)]).catch((error: Error) => {
  console.error(`fleetban: ${error.message}`);
  process.exitCode = 1;
});
