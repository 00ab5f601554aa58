/**
 * Where an enrollment token comes from: the command line, standard input, a file. Of these only the first shows it to
 * every user of the machine, in the list of processes.
 */
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { fileProblem } from "@fleetban/kit/file-problem";
import { EnrollError } from "../commands/enroll-error.ts";

export interface TokenPlace {
  /** The token itself, or `-` for standard input. */
  readonly argument: string | undefined;
  /** Name of a file, or `-`. */
  readonly file: string | undefined;
}

/** A token has some 150 characters. */
const TEXT_MAX = 4_096;
const STANDARD_INPUT = "-";
const HINT =
  "`fleetban enrollments create` on the coordinator prints a token; `fleetban-agent enroll -` reads it from standard input";

export async function readTokenText({ argument, file }: TokenPlace, input: Readable): Promise<string> {
  if (argument !== undefined && file !== undefined) {
    throw new EnrollError("no-token", "enrollment token: given twice, as argument and as --token-file", { hint: HINT });
  }
  const place = argument ?? file;
  if (place === undefined) throw new EnrollError("no-token", "enrollment token: none is given", { hint: HINT });
  if (place === argument && place !== STANDARD_INPUT) return place;
  const name = place === STANDARD_INPUT ? "standard input" : place;
  const text = (await readAll(place === STANDARD_INPUT ? input : createReadStream(place), name)).trim();
  if (text === "") throw new EnrollError("no-token", `${name}: is empty, must be an enrollment token`, { hint: HINT });
  return text;
}

async function readAll(stream: Readable, name: string): Promise<string> {
  let text = "";
  try {
    for await (const chunk of stream) {
      text += String(chunk);
      if (text.length > TEXT_MAX) break;
    }
  } catch (cause) {
    throw new EnrollError("no-token", `${name}: can't be read: ${fileProblem(cause)}`, { hint: HINT, cause });
  }
  if (text.length <= TEXT_MAX) return text;
  throw new EnrollError("no-token", `${name}: is longer than ${TEXT_MAX} characters, no enrollment token`, {
    hint: HINT,
  });
}
