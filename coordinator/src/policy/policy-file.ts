/** Policy text → the whole file as one typed record. All mistakes are told at once, with line and remedy. */
import { type ComplainAt, readConfig } from "@fleetban/kit/config";
import { compareFeeds } from "../feeds/compare-feeds.ts";
import { compareJudgement } from "./compare-judgement.ts";
import { POLICY_TABLE, type PolicyFile } from "./policy-table.ts";

/** What can only be said of several values together; a section adds its own function here. */
const COMPARISONS: readonly ((file: PolicyFile, complain: ComplainAt) => void)[] = [compareJudgement, compareFeeds];

/** Throws a ConfigError; `name` is how people know the text, for the messages; `alsoCompare` is what only some can. */
export function readPolicy(text: string, name: string, ...alsoCompare: typeof COMPARISONS): PolicyFile {
  return readConfig(text, name, POLICY_TABLE, (file, complain) => {
    for (const compare of [...COMPARISONS, ...alsoCompare]) compare(file, complain);
  });
}
