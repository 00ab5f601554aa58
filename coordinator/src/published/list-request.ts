/**
 * What a request for a list wants, from its address: `/v1/lists/fleet+feeds.txt?family=4&max_rank=2&limit=5000`.
 *
 * A parameter that is not known or makes no sense is refused, never ignored: a firewall that was told to take ranks up to 2
 * must not be given everything because of a typing mistake.
 */
import { FleetbanError } from "@fleetban/kit/errors";
import { nearest } from "@fleetban/kit/nearest";
import { MAX_RANK } from "@fleetban/proto/model/listing";
import type { Family } from "@fleetban/proto/model/prefix-words";
import type { Format } from "./formats/format.ts";
import { FORMATS } from "./formats/formats.ts";

export class RequestError extends FleetbanError {
  readonly status: number;

  constructor(status: number, message: string, hint: string) {
    super("bad-request", message, { hint });
    this.status = status;
  }
}

export interface ListRequest {
  /** Names; empty = what the token gives. */
  readonly lists: readonly string[];
  readonly extension: string;
  readonly format: Format;
  readonly families: readonly Family[];
  readonly maxRank: number;
  readonly maxRows: number;
  readonly isAggregated: boolean;
  readonly hasTimeouts: boolean;
  readonly name: string;
}

export const LISTS_PATH = "/v1/lists/";
const ALL = "all";
const NAME_DEFAULT = "published";
/** Of an ipset with "-v4-n" behind it: 31 characters. "fleetban-" is the agents' own. */
const NAME = /^(?!fleetban)[A-Za-z][A-Za-z0-9_-]{0,23}$/;
const PARAMETERS = ["family", "max_rank", "limit", "aggregate", "timeouts", "name", "token"];

/** `path` is what stands behind `LISTS_PATH`. */
export function readListRequest(path: string, query: URLSearchParams): ListRequest {
  const [, names = "", extension = ""] = /^([a-z0-9+_-]+)\.([a-z]+)$/.exec(path) ?? [];
  const format = FORMATS.get(extension);
  if (format === undefined) {
    const known = [...FORMATS.keys()].map((key) => `.${key}`).join(" ");
    throw new RequestError(404, `${LISTS_PATH}${path}: is no list`, `ask for ${LISTS_PATH}all with one of ${known}`);
  }
  refuseUnknown(query);
  const isAggregated = flag(query, "aggregate") ?? format.isAggregated;
  if (!isAggregated && format.needsAggregation) {
    throw new RequestError(400, `aggregate=no: .${extension} can't hold networks in each other`, "leave it away");
  }
  const hasTimeouts = flag(query, "timeouts") ?? false;
  if (hasTimeouts && !format.hasTimeouts) {
    throw new RequestError(400, `timeouts=yes: .${extension} has none`, "only .ipset has them");
  }
  return {
    lists: names === ALL ? [] : [...new Set(names.split("+"))].sort(),
    ...{ extension, format, isAggregated, hasTimeouts },
    families: familiesOf(query),
    maxRank: wholeNumber(query, "max_rank", 0, MAX_RANK) ?? MAX_RANK,
    maxRows: wholeNumber(query, "limit", 1, 1e9) ?? Number.POSITIVE_INFINITY,
    name: nameOf(query),
  };
}

function refuseUnknown(query: URLSearchParams): void {
  for (const key of query.keys()) {
    if (PARAMETERS.includes(key)) continue;
    const meant = nearest(key, PARAMETERS);
    const hint = meant === undefined ? `there are: ${PARAMETERS.join(", ")}` : `did you mean ${meant}?`;
    throw new RequestError(400, `parameter ${key}: is not known`, hint);
  }
}

function familiesOf(query: URLSearchParams): readonly Family[] {
  const text = query.get("family");
  if (text === null) return [4, 6];
  if (text === "4" || text === "6") return [Number(text) as Family];
  throw new RequestError(400, `family=${text}: must be 4 or 6`, "leave it away for both");
}

function flag(query: URLSearchParams, key: string): boolean | undefined {
  const text = query.get(key);
  if (text === null) return undefined;
  if (text === "yes" || text === "no") return text === "yes";
  throw new RequestError(400, `${key}=${text}: must be yes or no`, "write it in lower case");
}

function wholeNumber(query: URLSearchParams, key: string, min: number, max: number): number | undefined {
  const text = query.get(key);
  if (text === null) return undefined;
  const number = Number(text);
  if (/^\d{1,10}$/.test(text) && number >= min && number <= max) return number;
  throw new RequestError(400, `${key}=${text}: must be ${min} to ${max}`, "write it in digits");
}

function nameOf(query: URLSearchParams): string {
  const name = query.get("name") ?? NAME_DEFAULT;
  if (NAME.test(name)) return name;
  const rule = "at most 24 letters, digits, _ and -, a letter first, not fleetban";
  throw new RequestError(400, `name=${name}: must be ${rule}`, "leave it away for published");
}
