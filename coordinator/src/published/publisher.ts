/**
 * Everything that is published, by its path: lists for firewalls that run no agent, and the pull protocol of CrowdSec's
 * bouncers. Who asks brings a token; what it does not open is not told to exist.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { runTasks } from "@fleetban/kit/task-group";
import type { Ledger } from "../ledger/ledger.ts";
import type { Store } from "../store/store.ts";
import { type BouncerApi, createBouncerApi, DECISIONS_PATH, STREAM_PATH } from "./bouncers/bouncer-api.ts";
import { tokenOf } from "./credentials.ts";
import type { Edition } from "./edition.ts";
import { createEditions, type Editions } from "./editions.ts";
import type { PublishAnswer, PublishRequest } from "./exchange.ts";
import { LISTS_PATH, RequestError } from "./list-request.ts";
import { createRenderedLists } from "./rendered-lists.ts";
import { type ServeListParts, serveList } from "./serve-list.ts";
import { createTerms } from "./terms.ts";
import type { PublishToken } from "./token.ts";
import { createTokenBook, type TokenBook } from "./token-book.ts";
import { createUses, type Uses } from "./uses.ts";

export interface PublisherParts {
  readonly store: Pick<Store, "sql">;
  readonly ledger: Pick<Ledger, "lists" | "copyOf" | "ledgerTimeMs" | "epoch">;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Publisher {
  /** Never rejects. */
  answer(request: PublishRequest): Promise<PublishAnswer>;
  /** For metrics. */
  editions(): readonly Edition[];
  /** Keeps the books until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

interface Rooms extends ServeListParts {
  readonly tokens: TokenBook;
  readonly uses: Uses;
  readonly bouncers: BouncerApi;
  readonly log: Log;
}

const USAGE_PATH = "/v1/usage-metrics";
const FORGET_EACH_MS = 60_000;
const TEXT = { "content-type": "text/plain; charset=utf-8" } as const;
const JSON_TYPE = { "content-type": "application/json" } as const;

export function createPublisher(parts: PublisherParts): Publisher {
  const { ledger, clock, log } = parts;
  const terms = createTerms(parts);
  const editions = createEditions({ ledger, terms, clock, log });
  const rendered = createRenderedLists({ clock, ledgerTimeMs: () => ledger.ledgerTimeMs() });
  const uses = createUses(parts);
  const bouncers = createBouncerApi({ ...parts, editions, uses });
  const rooms = { ledger, editions, rendered, terms, tokens: createTokenBook(parts), uses, bouncers, log };
  return {
    answer: (request) => answer(rooms, request),
    editions: () => editions.held(),
    run: (signal) =>
      runTasks(
        { uses: (inner) => uses.run(inner), forget: (inner) => forgetNowAndThen(editions, clock, inner) },
        signal,
      ),
  };
}

async function answer(rooms: Rooms, request: PublishRequest): Promise<PublishAnswer> {
  const { pathname } = request.url;
  const isBouncer = [DECISIONS_PATH, STREAM_PATH, USAGE_PATH].includes(pathname);
  try {
    const { uses, tokens } = rooms;
    if (!isBouncer && !pathname.startsWith(LISTS_PATH)) {
      throw new RequestError(404, "not here", `lists are at ${LISTS_PATH}all.txt`);
    }
    const text = tokenOf(request);
    const token = text === undefined ? undefined : await tokens.open(text, request.address);
    if (token === undefined) return refused(isBouncer, text !== undefined);
    const program = String(request.headers["user-agent"] ?? "");
    uses.note({ tokenNo: token.tokenNo, address: request.address, program });
    return await open(rooms, request, token);
  } catch (error) {
    if (error instanceof RequestError) return mistaken(isBouncer, error);
    rooms.log.error("published.request_failed", { path: pathname, error });
    return mistaken(isBouncer, new RequestError(503, "not to be had now", "ask again later; the log says why"));
  }
}

async function open(rooms: Rooms, request: PublishRequest, token: PublishToken): Promise<PublishAnswer> {
  const { method, url } = request;
  // Newer bouncers tell what they have dropped; what nobody keeps is taken politely, or their logs fill with warnings.
  if (url.pathname === USAGE_PATH) {
    if (method === "POST") return { status: 201, headers: JSON_TYPE, body: "{}", format: "usage" };
    throw new RequestError(405, `${method}: POST only`, "bouncers do so by themselves");
  }
  if (method !== "GET" && method !== "HEAD") throw new RequestError(405, `${method}: GET or HEAD only`, "read only");
  if (url.pathname === DECISIONS_PATH) return rooms.bouncers.decisions(request, token);
  if (url.pathname === STREAM_PATH) return rooms.bouncers.stream(request, token);
  return serveList(rooms, request, token);
}

/** A firewall that knows Basic sends its password only when it is asked for it. */
function refused(isBouncer: boolean, wasTold: boolean): PublishAnswer {
  if (isBouncer) return { status: 403, headers: JSON_TYPE, body: '{"message":"access forbidden"}', format: "refused" };
  const what = wasTold ? "the token opens nothing here" : "no token";
  const how = wasTold
    ? "see: fleetban publish tokens list"
    : "send it as Authorization: Bearer TOKEN, or as the password";
  const body = `error: ${what}\nhint: ${how}\n`;
  const headers = { ...TEXT, "www-authenticate": 'Basic realm="fleetban", charset="UTF-8"' };
  return { status: 401, headers, body, format: "refused" };
}

function mistaken(isBouncer: boolean, { status, message, hint }: RequestError): PublishAnswer {
  const format = "refused";
  if (isBouncer) return { status, headers: JSON_TYPE, body: JSON.stringify({ message }), format };
  return { status, headers: TEXT, body: `error: ${message}\nhint: ${hint}\n`, format };
}

async function forgetNowAndThen(editions: Editions, clock: Clock, signal: AbortSignal): Promise<never> {
  for (;;) {
    await clock.sleep(FORGET_EACH_MS, signal);
    editions.forgetUnused();
  }
}
