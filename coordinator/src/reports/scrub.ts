/**
 * Takes out of log lines what is nobody's business: own host names and addresses, user names, e-mail addresses, sessions,
 * passwords. What is left is public for ever, so it errs on the side of taking too much. Pure.
 *
 * Only the reported address itself stays; every other address goes, ours or not. Names are found by where they stand in the
 * lines of known programs, by their form, and by the list of the fleet's own; what of that list is still there at the end
 * takes the whole text with it.
 */
import { type Prefix, tryParsePrefix } from "@fleetban/proto/model/prefix";

export interface Private {
  /** Stays readable. */
  readonly reported: Prefix;
  /** Of the fleet's machines and whatever the policy adds, see `ownWords`. */
  readonly words: readonly string[];
}

/** Stands for the reported address while everything else is taken out. */
const REPORTED = "\u{e000}";
const TIME = String.raw`(?:<\d+>)?(?:[A-Z][a-z]{2} +\d+ [\d:]{8}|\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?)`;
const STOP = String.raw`(?=\s+(?:from|at|on|port|not|was|is|has|does|logged|failed|by|via|because|rejected|denied)\b|\s+(?:${REPORTED}|\[address\])|\s*[(,;]|:\s|:?$)`;
const QUOTED = `"[^"]*"|'[^']*'|<[^>]*>`;
const SAID = "pass|passwd|password|pwd|secret|token|cookie|apikey|api_key";
const SECRET = `${SAID}|session|sessionid|sid|phpsessid|jsessionid|key`;
const USER = "user|username|ruser|logname|login|account|acct|sasl_username|authuser|uname|orig_user";

/** What has more of them is no time of day, whatever it is. */
const TIME_COLONS = 3;

/** Ends of names that look like hosts and are files; none of them is a top-level domain. */
const FILES =
  /\.(?:php\d?|phtml|html?|aspx?|jspx?|cgi|js|css|txt|xml|json|env|git|sql|gz|tar|bak|log|conf|cfg|ini|ya?ml|exe|dll|service|scope|socket|png|jpe?g|gif|svg|ico|action|cfm|lua)$/i;

/** In this order: what is taken out by its form first, so that what is found by its place stops there. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [new RegExp(String.raw`^(${TIME})\s+\S+\s+(?=[\w./()-]+(?:\[\d+\])?:)`), "$1 [host] "],
  [/^(\S+) \S+ \S+ (?=\[\d\d\/[A-Z][a-z]{2}\/\d{4}:)/, "$1 - - "], // a web server's: address, identity, user
  [/\[\d{1,10}\](?=:)/g, ""],
  [/[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, "[url]"],
  [/(\/[^\s"'?]*)\?[^\s"']+/g, "$1?[query]"],
  [/[^\s<>"'()=,;:[\]]*(?:@|%40)[^\s<>"'(),;]+/gi, "[email]"],
  [new RegExp(String.raw`(?<![\w-])(${SECRET})=(?:${QUOTED}|[^\s,;]+)`, "gi"), "$1=[hidden]"],
  [new RegExp(String.raw`(?<![\w-])(${SAID}):\s*(?:${QUOTED}|[^\s,;]+)`, "gi"), "$1: [hidden]"],
  [/\bauthorization:\s*\S+(?:\s+[\w+/=-]{6,})?/gi, "authorization: [hidden]"],
  [new RegExp(String.raw`(?<![\w-])(${USER})(=|:\s*)(?:${QUOTED}|[^\s,;]+)`, "gi"), "$1$2[user]"],
  [new RegExp(String.raw`\b(user(?:name)?|account|login)\s+(?:${QUOTED})(?:@(?:${QUOTED}))?`, "gi"), "$1 [user]"],
  [/\[[^\]]+\] (?=(?:FAIL|OK) LOGIN)/g, "[user] "],
  [
    new RegExp(String.raw`\b((?:for |by |from )?(?:invalid|illegal|unknown|authenticating) user)\s.*?${STOP}`, "gi"),
    "$1 [user]",
  ],
  [new RegExp(String.raw`\b(user)\s(?!\[user\]).*?${STOP}`, "gi"), "$1 [user]"],
  [/\b(for|by)\s+(?!(?:invalid|illegal|unknown|authenticating)?\s*user\b|\[)\S.*?(?=\s+from\s)/gi, "$1 [user]"],
  [/("|')[^"']*\1 (?=<sip:|<\[)/g, "[user] "],
  [/\/(home|Users|~)\/?[^/\s"']+/g, "/$1/[user]"],
  [/\b(helo|ehlo|host|hostname|server|vhost)(=|:\s*)(?:<[^>]*>|"[^"]*"|[^\s,;]+)/gi, "$1$2[host]"],
  [/\bSHA256:[A-Za-z0-9+/=]{20,}/g, "[id]"],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{16,}\b/gi, "[id]"],
  [/\b(?=[A-Za-z+_-]*\d)(?=[\w+-]*[a-z])(?=[\w+-]*[A-Z])[\w+-]{24,}={0,2}/g, "[id]"],
];

/** One line each; undefined when something of the fleet's own is still in it. */
export function scrub(text: string, { reported, words }: Private): string | undefined {
  const lines = text.toWellFormed().split(/\r?\n/);
  const scrubbed = lines.map((line) => scrubLine(line, reported, words)).filter((line) => line !== "");
  const all = scrubbed.join(" | ");
  return isFreeOf(all, words) ? all : undefined;
}

/** The names of machines as they turn up in logs: whole, without their domain, and the domain alone. */
export function ownWords(names: readonly string[], further: readonly string[]): readonly string[] {
  const words = names.flatMap((name) => {
    const labels = name.toLowerCase().replace(/\.$/, "").split(".");
    const domain = labels.length > 2 ? [labels.slice(1).join(".")] : [];
    return [labels.join("."), labels[0] ?? "", ...domain];
  });
  const all = [...words, ...further.map((word) => word.trim().toLowerCase())];
  return [...new Set(all)].filter((word) => word !== "").sort((a, b) => b.length - a.length);
}

/** Whether none of the words is in it, as a word or, from five letters on, within one: shorter ones are in any text. */
export function isFreeOf(text: string, words: readonly string[]): boolean {
  const lower = text.toLowerCase().replaceAll(/\[(?:host|address|user|email|url|query|hidden|id)\]/g, "");
  return !words.some((word) => (word.length > 4 ? lower.includes(word) : wordPattern(word).test(lower)));
}

function scrubLine(line: string, reported: Prefix, words: readonly string[]): string {
  let text = line.replaceAll(/[\p{Cc}\p{Cf}\p{Co}\u2028\u2029]+/gu, " ").trim();
  // Names first: the address in one that was made from it would leave the rest of the name behind.
  text = text.replaceAll(/(?:[a-z0-9_][a-z0-9_-]{0,62}\.)+[a-z][a-z0-9-]{1,62}(?![\w-])/gi, (name) =>
    FILES.test(name) ? name : "[host]",
  );
  text = withoutAddresses(text, reported);
  for (const [pattern, replacement] of RULES) text = text.replace(pattern, replacement);
  for (const word of words) text = text.replace(wordPattern(word), "[host]");
  return text.replaceAll(REPORTED, reported).replaceAll(/\s+/g, " ").trim();
}

function withoutAddresses(line: string, reported: Prefix): string {
  const kept = (address: string) => {
    const prefix = tryParsePrefix(address);
    if (prefix === undefined) return undefined;
    return prefix === reported ? REPORTED : "[address]";
  };
  return line
    .replaceAll(/\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5,}\b/gi, "[address]")
    .replaceAll(
      /(?<![0-9a-z:.])(?:[0-9a-f]{0,4}:){2,8}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4})(?![0-9a-z:]|\.\d)/gi,
      (found) => kept(found) ?? (found.split(":").length > TIME_COLONS + 1 ? "[address]" : found),
    )
    .replaceAll(/(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)/g, (found) => kept(found) ?? "[address]")
    .replaceAll(/(?<!\d)\d{1,3}(?:-\d{1,3}){3,}(?!\d)/g, "[address]");
}

function wordPattern(word: string): RegExp {
  const escaped = word.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
  return new RegExp(`(?<![A-Za-z0-9])${escaped}(?![A-Za-z0-9])`, "gi");
}
