/** Files that a command reads or makes: never over what is there, because a key that is overwritten is gone. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { text } from "node:stream/consumers";
import { fileProblem } from "@fleetban/kit/file-problem";
import type { CliFiles } from "../cli.ts";
import { CliError } from "../cli-error.ts";

export const newFiles: CliFiles = {
  async read(path) {
    try {
      return await readFile(path, "utf8");
    } catch (cause) {
      throw new CliError("not-read", `${path}: cannot be read: ${fileProblem(cause)}`, {
        hint: "look at its path and owner",
        cause,
      });
    }
  },
  readInput: () => text(process.stdin),
  async writeNew(path, content, mode) {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(path, content, { flag: "wx", mode });
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      const what = code === "EEXIST" ? "is there already" : `cannot be written (${code})`;
      throw new CliError("not-written", `${path}: ${what}`, { hint: "name another folder with --out", cause });
    }
  },
};
