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
    "jobs",
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
  // Commander's own `help` looks at one word.
  if (command === "help" && args[at + 2] !== undefined) return withDefaults([...args.toSpliced(at, 1), "--help"]);
  // `ban` is an act and the singular of `bans`: what follows tells them apart.
  if (command === "ban" && (next === "list" || next === "remove")) return args.with(at, "bans");
  if (command === "publish" && (next === "tokens" || next === "token")) {
    return isVerb(args[at + 2]) ? [...args] : args.toSpliced(at + 2, 0, "list");
  }
  if (isVerb(next)) return [...args];
  if (command === "publish") return args.toSpliced(at + 1, 0, "tokens", "list");
  if (command === "policy" || command === "policies") return args.toSpliced(at + 1, 0, "show");
  return NOUNS.has(command) ? args.toSpliced(at + 1, 0, "list") : [...args];
}

function isVerb(arg: string | undefined): boolean {
  return arg !== undefined && (!arg.startsWith("-") || OWN_ANSWERS.has(arg));
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
