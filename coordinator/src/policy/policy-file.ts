/** Policy text → the whole file as one typed record. All mistakes are told at once, with line and remedy. */
import { type ComplainAt, type HomeOf, readConfig } from "@fleetban/kit/config";
import { compareFeeds } from "../feeds/compare-feeds.ts";
import { compareJudgement } from "./compare-judgement.ts";
import { POLICY_TABLE, type PolicyFile } from "./policy-table.ts";

type Compare = (file: PolicyFile, complain: ComplainAt) => void;

/** What not everybody who reads a policy can tell of it. */
export interface MoreChecks {
  readonly compare?: Compare;
  readonly homeOf?: HomeOf;
}

/** What can only be said of several values together; a section adds its own function here. */
const COMPARISONS: readonly Compare[] = [compareJudgement, compareFeeds];

/** Throws a ConfigError; `name` is how people know the text, for the messages. */
export function readPolicy(text: string, name: string, { compare, homeOf }: MoreChecks = {}): PolicyFile {
  const compareAll: Compare = (file, complain) => {
    for (const one of COMPARISONS) one(file, complain);
    compare?.(file, complain);
  };
  return readConfig(text, name, POLICY_TABLE, compareAll, homeOf);
}
