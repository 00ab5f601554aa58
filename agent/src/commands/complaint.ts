/** What a failed command says and ends with: a mistake of whoever typed it gets a sentence and its remedy, never a stack. */
import { FleetbanError } from "@fleetban/kit/errors";
import { CommanderError } from "commander";

export interface Complaint {
  readonly lines: readonly string[];
  readonly isUsage: boolean;
}

/** Of what was typed or configured. */
const USAGE_CODES = [
  ...["bad-config", "bad-prefix", "bad-duration", "bad-usage", "is-network"],
  ...["no-token", "bad-enrollment-token"],
];

/** `undefined` = an error of the program itself. `command` = as far as it was understood, for the hint. */
export function complaintOf(error: unknown, command: string): Complaint | undefined {
  if (error instanceof CommanderError) return { lines: usageLines(error.message, command), isUsage: true };
  if (!(error instanceof FleetbanError)) return undefined;
  const { message, hint, code } = error;
  // Some messages end with their remedy, which has a line of its own here.
  const text = hint !== undefined && message.endsWith(`; ${hint}`) ? message.slice(0, -hint.length - 2) : message;
  const lines = text.split("\n").map((line) => `error: ${line}`);
  return { lines: hint === undefined ? lines : [...lines, `hint: ${hint}`], isUsage: USAGE_CODES.includes(code) };
}

/** Commander's words: `error: …`, and perhaps `(Did you mean …?)` below. */
function usageLines(message: string, command: string): string[] {
  const [what = "", suggestion] = message.replace(/^error: /, "").split("\n");
  const hint = suggestion === undefined ? `see ${command} --help` : suggestion.replace(/^\(|\)$/g, "");
  return [`error: ${what.replace(/\.$/, "")}`, `hint: ${hint}`];
}
