/** `fleetban`: joins the command line with the process that runs it. */
import { userInfo } from "node:os";
import { VERSION } from "@fleetban/kit/drivers/version";
import { openAdminChannel } from "./drivers/admin-channel.ts";
import { newFiles } from "./drivers/new-files.ts";
import { runProgram } from "./program.ts";

// A pipe whose reader has gone (`fleetban listings list | head`) is an end, not a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

process.exitCode = await runProgram(process.argv.slice(2), {
  connect: (options) => openAdminChannel(options, operatorName()),
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  nowMs: () => Date.now(),
  files: newFiles,
  environment: process.env,
  version: VERSION,
});

/** Who types, for the audit log: the person behind sudo, else the account. */
function operatorName(): string {
  const { SUDO_USER } = process.env;
  try {
    return SUDO_USER ?? userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "?"}`; // an account without a name
  }
}
