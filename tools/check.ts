/** Runs the checks: all, or those named (`npm run check -- types lint`). */
import { findChecks, runCheck } from "./check/checks.ts";
import { failureText } from "./test/result.ts";

for (const check of wantedChecks()) {
  const result = await runCheck(check);
  const seconds = (result.tookMs / 1_000).toFixed(1);
  console.log(`${result.failures.length === 0 ? "ok  " : "FAIL"} ${result.name} (${seconds} s)`);
  for (const failure of result.failures) console.log(failureText(result.name, failure));
  if (result.failures.length > 0) process.exitCode = 1;
}

/** Those named; a name that is mistyped is told with the names there are. */
function wantedChecks(): ReturnType<typeof findChecks> {
  try {
    return findChecks(process.argv.slice(2));
  } catch (error) {
    console.error(`fleetban: error: ${(error as Error).message}`);
    process.exit(2);
  }
}
