/**
 * Fills in what may be left out of a command line: no command is `status`, a noun without a verb is `list`.
 *
 * Commander's own default commands would take a mistyped command for their argument and say that there are too many.
 */

const OPTIONS_WITH_VALUE = new Set(["--socket", "--address", "--credentials"]);
const OWN_ANSWERS = new Set(["--help", "-h", "--version"]);
const NOUNS = new Set(
  [
    "agents",
    "enrollments",
    "listings",
    "lists",
    "pardons",
    "hits",
    "feeds",
    "packs",
    "holds",
    "reports",
    "notifications",
    "certificates",
  ]
    .flatMap((plural) => [plural, plural.slice(0, -1)])
    .concat(["bans", "allowlist", "audit"]),
);

export function withDefaults(args: readonly string[]): string[] {
  const at = commandAt(args);
  if (at === undefined) return args.some((arg) => OWN_ANSWERS.has(arg)) ? [...args] : [...args, "status"];
  const command = args[at] ?? "";
  const next = args[at + 1];
  // `ban` is an act and the singular of `bans`: what follows tells them apart.
  if (command === "ban" && (next === "list" || next === "remove")) return args.with(at, "bans");
  if (command === "publish" && (next === undefined || next === "tokens" || next === "token")) {
    const verb = args[at + 2];
    return verb === undefined || (verb.startsWith("-") && !OWN_ANSWERS.has(verb))
      ? args.toSpliced(at + 1, next === undefined ? 0 : 1, "tokens", "list")
      : [...args];
  }
  if (command === "policy" && next === undefined) return args.toSpliced(at + 1, 0, "show");
  const hasVerb = next !== undefined && (!next.startsWith("-") || OWN_ANSWERS.has(next));
  return NOUNS.has(command) && !hasVerb ? args.toSpliced(at + 1, 0, "list") : [...args];
}

/** Where the command stands, behind options of all commands. */
function commandAt(args: readonly string[]): number | undefined {
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? "";
    if (!arg.startsWith("-")) return at;
    if (OPTIONS_WITH_VALUE.has(arg)) at += 1;
  }
  return undefined;
}
