/** A program's output in a file that is replaced when it has grown; the newest lines are kept at hand. */
import { appendFileSync, renameSync, statSync } from "node:fs";

export interface ProgramLog {
  readonly path: string;
  add(text: string): void;
  /** What it last had to say, for people. */
  lastWords(): string;
}

const MAX_BYTES = 8 << 20; // one before it is kept: 16 MiB a program
const LINES_KEPT = 20;
const COMPLAINT = /^fleetban(-agent|-coordinator)?: /;

export function openProgramLog(path: string): ProgramLog {
  let sizeBytes = sizeOf(path);
  let tail: string[] = [];

  function write(text: string): void {
    try {
      if (sizeBytes > MAX_BYTES) {
        renameSync(path, `${path}.1`);
        sizeBytes = 0;
      }
      appendFileSync(path, text);
      sizeBytes += Buffer.byteLength(text);
    } catch {
      // A full disk costs log lines; the programs go on, and say themselves what they miss.
    }
  }

  return {
    path,
    add(text) {
      write(text);
      tail = [...tail, ...text.split("\n").filter((line) => line !== "")].slice(-LINES_KEPT);
    },
    lastWords() {
      const complaints = tail.filter((line) => COMPLAINT.test(line)).map((line) => line.replace(COMPLAINT, ""));
      return complaints.length > 0 ? complaints.join("; ") : (tail.at(-1) ?? "it said nothing");
    },
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
