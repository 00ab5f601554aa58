/** Looks whether rules that others saved for the next boot name our sets. */
import { readFile } from "node:fs/promises";
import { namingOurSets, SAVED_RULES, savedRulesWarning } from "../firewall/ipset/saved-rules.ts";

/** After uninstalling. Undefined = none. */
export async function warnOfSavedRules(): Promise<string | undefined> {
  const files = SAVED_RULES.map(async (path) => ({ path, text: await readFile(path, "utf8").catch(() => undefined) }));
  return savedRulesWarning(namingOurSets(await Promise.all(files)));
}
