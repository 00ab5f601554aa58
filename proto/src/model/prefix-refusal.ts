/**
 * Why a text is no prefix, and what to write instead.
 *
 * Runs only after the fast scanner has refused, so it may take its time; it decides nothing, it explains.
 */
import { FleetbanError } from "@fleetban/kit/errors";
import { scanned, scanPrefix } from "./prefix-scan.ts";
import { textOfWords } from "./prefix-text.ts";
import { hasHostBits, maxLength, type PrefixWords, widenedWords } from "./prefix-words.ts";

export class PrefixError extends FleetbanError {
  constructor(message: string, remedy: string) {
    super("bad-prefix", `${message}; ${remedy}`, { hint: remedy });
  }
}

const SHOWN_LENGTH = 80;

interface Reason {
  readonly when: (text: string) => boolean;
  readonly what: string;
  readonly remedy: string;
}

/** The first that fits is told. */
const REASONS: readonly Reason[] = [
  {
    when: (text) => text === "",
    what: "is empty",
    remedy: "write an address like 192.0.2.7 or a network like 192.0.2.0/24",
  },
  { when: (text) => text.length > 49, what: "is too long", remedy: "no prefix needs more than 49 characters" },
  { when: (text) => /\s/.test(text), what: "has blanks", remedy: "write it without blanks" },
  {
    when: (text) => /[^\x21-\x7e]/.test(text),
    what: "has characters that only look like digits",
    remedy: "type it in plain ASCII",
  },
  { when: (text) => text.includes("%"), what: "has a zone id", remedy: "leave out % and what follows" },
  { when: (text) => /^\[.*\]/.test(text), what: "has brackets", remedy: "write the address without brackets or port" },
  { when: (text) => /\/.*\//.test(text), what: "has two lengths", remedy: "write one length after one slash" },
  {
    when: (text) => /\/\D|\/$|\/\d+\D/.test(text),
    what: "has a length that is no number",
    remedy: "write the length as /24, not as a netmask",
  },
  { when: (text) => /\/0\d/.test(text), what: "has a length with a leading zero", remedy: "write /8, not /08" },
  { when: (text) => /^[\d.]*\d-\d[\d.]*$/.test(text), what: "is a range", remedy: "write it as networks" },
  { when: (text) => /^[\d.]+:\d+$/.test(text), what: "has a port", remedy: "write the address alone" },
  {
    when: (text) => /^0x|\.0x/i.test(text),
    what: "has hexadecimal parts",
    remedy: "write four decimal numbers from 0 to 255",
  },
  {
    when: (text) => !text.includes(":") && /(^|\.)0\d/.test(text),
    what: "has leading zeros",
    remedy: "write 8, not 08 or 010: some programs read those as octal",
  },
  { when: (text) => /^\d+(\.\d+){0,2}(\/\d+)?$/.test(text), what: "is a short form", remedy: "write all four numbers" },
  {
    when: (text) => !text.includes(":") && /\d{4,}|[3-9]\d\d|2[6-9]\d|25[6-9]/.test(text.split("/")[0] ?? ""),
    what: "has a number above 255",
    remedy: "write four numbers from 0 to 255",
  },
  { when: (text) => /::.*::/.test(text), what: "has :: twice", remedy: "shorten one run of zeros only" },
];

export function refusalOf(text: string): PrefixError {
  const name = `prefix ${shown(text)}`;
  const fits = REASONS.find(({ when }) => when(text));
  if (fits !== undefined) return new PrefixError(`${name}: ${fits.what}`, fits.remedy);
  return (
    lengthRefusalOf(text, name) ?? new PrefixError(`${name}: is no address`, "write one like 192.0.2.7 or 2001:db8::1")
  );
}

/** The address is good and its length is not. */
function lengthRefusalOf(text: string, name: string): PrefixError | undefined {
  const slash = text.indexOf("/");
  if (slash < 0 || !scanPrefix(text.slice(0, slash))) return undefined;
  const isV6 = text.includes(":");
  const written = Number(text.slice(slash + 1));
  const address = textOfWords(scanned);
  const max = isV6 ? 128 : 32;
  if (written > max) {
    return new PrefixError(`${name}: length must be 0 to ${max}`, `write ${address} for one address`);
  }
  const network = networkOf({ ...scanned, length: written - (isV6 && scanned.family === 4 ? 96 : 0) });
  if (network === undefined) return new PrefixError(`${name}: is wider than the IPv4-mapped range`, `write ${address}`);
  return new PrefixError(`${name}: has host bits`, `write ${network} for the network or ${address} for one address`);
}

function networkOf(words: PrefixWords): string | undefined {
  if (words.length < 0 || words.length > maxLength(words.family) || !hasHostBits(words)) return undefined;
  return textOfWords(widenedWords(words, words.length));
}

/** Quoted where it isn't plain, cut where it is long. */
function shown(text: string): string {
  const cut = text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
  return /^[\x21-\x7e]+$/.test(text) ? cut : JSON.stringify(cut).replace(/[^\x20-\x7e\u2026]/g, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
