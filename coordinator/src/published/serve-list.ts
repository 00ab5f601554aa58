/** Answers a request for a list: 200, 304 where the client has it, or why not. */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Ledger } from "../ledger/ledger.ts";
import { acceptsGzip, matchesTag, tagOf } from "./accepts.ts";
import type { EditionKey } from "./edition.ts";
import type { Editions } from "./editions.ts";
import type { PublishAnswer, PublishRequest } from "./exchange.ts";
import { LISTS_PATH, RequestError, readListRequest } from "./list-request.ts";
import { isPublishable } from "./publishable-list.ts";
import type { RenderedLists } from "./rendered-lists.ts";
import type { Terms } from "./terms.ts";
import type { PublishToken } from "./token.ts";

export interface ServeListParts {
  readonly ledger: Pick<Ledger, "lists">;
  readonly editions: Editions;
  readonly rendered: RenderedLists;
  readonly terms: Terms;
}

export async function serveList(
  parts: ServeListParts,
  request: PublishRequest,
  token: PublishToken,
): Promise<PublishAnswer> {
  const wish = readListRequest(request.url.pathname.slice(LISTS_PATH.length), request.url.searchParams);
  const key = editionKeyFor(parts.ledger, token, wish.lists);
  const edition = await parts.editions.current(key);
  const { gzip, bytes, sha256 } = await parts.rendered.of(edition, wish, token.maxRank);
  const isPacked = acceptsGzip(request.headers["accept-encoding"]);
  const credits = await parts.terms.credits(key.lists).catch(() => []);
  const headers = {
    etag: tagOf(sha256, isPacked),
    "cache-control": "private, no-cache",
    vary: "accept-encoding, authorization, x-api-key",
    "x-fleetban-revision": edition.revision,
    ...(credits.length === 0 ? {} : { "x-fleetban-credits": credits.join(", ") }),
  };
  const format = wish.extension;
  if (matchesTag(request.headers["if-none-match"], sha256)) return { status: 304, headers, body: "", format };
  const described = { ...headers, "content-type": wish.format.contentType };
  if (!isPacked) {
    const body = { kind: "gunzip", gzip } as const;
    return { status: 200, headers: { ...described, "content-length": bytes }, body, format };
  }
  const packed = { ...described, "content-encoding": "gzip", "content-length": gzip.length };
  return { status: 200, headers: packed, body: gzip, format };
}

/** What the token opens of what is asked for; no names = all of it. Refused where it opens less. */
export function editionKeyFor(
  ledger: Pick<Ledger, "lists">,
  token: Pick<PublishToken, "lists" | "isForOwnUse">,
  names: readonly string[],
): EditionKey {
  const wanted = names.length === 0 ? token.lists : names;
  const closed = wanted.find((name) => !token.lists.includes(name));
  if (closed !== undefined) {
    throw new RequestError(403, `list ${closed}: this token does not open it`, `it opens: ${token.lists.join(", ")}`);
  }
  const known = ledger.lists().map(({ list }) => list);
  const lists: ListNo[] = [];
  for (const name of wanted) {
    const list = known.find((one) => one.name === name);
    if (list !== undefined && isPublishable(list)) lists.push(list.list);
  }
  if (lists.length === 0) {
    throw new RequestError(404, `list ${wanted.join("+")}: does not exist any more`, "make a token for another one");
  }
  return { lists: lists.sort((one, other) => one - other), isForOwnUse: token.isForOwnUse };
}
