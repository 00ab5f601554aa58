/**
 * Runs a script of commands and compares what each prints, so that a test reads as the manual:
 *
 *     $ fleetban ban 10.0.0.1
 *     ! fleetban: error: …        what goes to stderr begins with `! `
 *     = 1                         the exit code, where it is not 0
 *
 * What differs from run to run stands as TIME, MINUTE, WHEN, TOOK, PORT, TOKEN, SERIAL, UUID; runs of blanks are two.
 */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAdminChannel } from "./drivers/admin-channel.ts";
import { newFiles } from "./drivers/new-files.ts";
import { runProgram } from "./program.ts";

/** `folder`: where files are read that a command names; `stdin` is the file of that name there. */
export async function runScript(script: string, socket: string, folder = ""): Promise<void> {
  const commands = [...script.matchAll(/^\$ (?:fleetban) ?(.*)$/gm)].map((match) => match[1] ?? "");
  const printed: string[] = [];
  for (const command of commands)
    printed.push(`$ fleetban ${command}`.trimEnd(), ...(await run(command, socket, folder)), "");
  assert.deepEqual(printed.join("\n").trim().split("\n"), script.trim().split("\n"));
}

async function run(command: string, socket: string, folder: string): Promise<string[]> {
  const lines: string[] = [];
  const write = (mark: string) => (text: string) => {
    for (const line of text.trimEnd().split("\n")) lines.push(`${mark}${constant(line)}`.trimEnd());
  };
  const code = await runProgram(words(command), {
    connect: (options) => openAdminChannel(options, "tester"),
    stdout: write(""),
    stderr: write("! "),
    nowMs: () => Date.now(),
    files: {
      ...newFiles,
      read: (path) => newFiles.read(join(folder, path)),
      readInput: () => newFiles.read(join(folder, "stdin")),
    },
    environment: { FLEETBAN_SOCKET: socket, HOME: tmpdir() },
    version: "test",
  });
  return code === 0 ? lines : [...lines, `= ${code}`];
}

function words(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");
}

function constant(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "TIME")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\dZ/g, "MINUTE")
    .replaceAll(/\b127\.0\.0\.1:\d{5}\b/g, "127.0.0.1:PORT")
    .replaceAll(/\bin (?:\d+[dhms])+|(?:\d+[dhms])+ ago|\bnow\b/g, "WHEN")
    .replaceAll(/\bup (?:\d+[dhms])+/g, "up WHEN")
    .replaceAll(/\b\d+(?:\.\d)? (?:us|ms|s)\b/g, "TOOK")
    .replaceAll(/fb[ep]1\.\S+/g, "TOKEN")
    .replaceAll(/\b[0-9a-f]{32}\b/g, "SERIAL")
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "UUID")
    .replaceAll(/(?<=\S) {2,}/g, "  ")
    .replaceAll(/^ {3,}/g, "  ");
}
