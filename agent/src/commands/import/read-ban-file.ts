/**
 * A plain ban file, as nightly scripts keep them: an address a line, with `#` or `;` before comments. Pure.
 *
 * Nothing is guessed: what is no single address is named with its line, never repaired.
 */
import { FleetbanError } from "@fleetban/kit/errors";
import { isSingle, type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import type { Candidate, Problem } from "./candidate.ts";

export interface ReadBans {
  readonly candidates: readonly Candidate[];
  readonly problems: readonly Problem[];
}

const COMMENT = /[#;].*$/s;
const SHOWN_CHARACTERS = 60;

export function readBanFile(text: string, file: string, ban: { jail: string; banSeconds: number }): ReadBans {
  const seen = new Set<Prefix>();
  const candidates: Candidate[] = [];
  const problems: Problem[] = [];
  for (const [at, line] of text
    .replace(/^\ufeff/, "")
    .split("\n")
    .entries()) {
    const word = line.replace(COMMENT, "").trim();
    if (word === "") continue;
    const place = `${file}:${at + 1}`;
    const address = addressIn(word);
    if (typeof address === "object") problems.push({ place, reason: address.reason });
    else if (!seen.has(address)) {
      seen.add(address);
      candidates.push({ place, address, ...ban, bannedAtMs: undefined, failures: 0, banCount: 0 });
    }
  }
  return { candidates, problems };
}

function addressIn(word: string): Prefix | { readonly reason: string } {
  if (/\s/.test(word)) return { reason: `${shown(word)}: more than one word; write one address a line` };
  try {
    const address = parsePrefix(word);
    if (isSingle(address)) return address;
    return { reason: `${word}: is a network; an operator bans it with \`fleetban ban ${word}\`` };
  } catch (error) {
    if (error instanceof FleetbanError) return { reason: error.message };
    throw error;
  }
}

function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);
}
