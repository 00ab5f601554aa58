/** Runs the checks: all, or those named (`npm run check -- types lint`). */
import { findChecks, runCheck } from "./check/checks.ts";
import { failureText } from "./test/result.ts";

for (const check of findChecks(process.argv.slice(2))) {
  const result = await runCheck(check);
  const seconds = (result.tookMs / 1_000).toFixed(1);
  console.log(`${result.failures.length === 0 ? "ok  " : "FAIL"} ${result.name} (${seconds} s)`);
  for (const failure of result.failures) console.log(failureText(result.name, failure));
  if (result.failures.length > 0) process.exitCode = 1;
}
