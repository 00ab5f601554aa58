/**
 * The pull protocol of CrowdSec's local API, for bouncers as they are: `/v1/decisions` for one address at a time, and
 * `/v1/decisions/stream` for the whole list at the start and then what has changed.
 */
import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { finishInTurns } from "@fleetban/kit/slices";
import { createTurns } from "@fleetban/kit/turns";
import { secondsFromMs, type UnixSeconds, unixMs } from "@fleetban/proto/model/time";
import type { Ledger } from "../../ledger/ledger.ts";
import type { Store } from "../../store/store.ts";
import { type Edition, type EditionKey, keyText } from "../edition.ts";
import type { Editions } from "../editions.ts";
import type { PublishAnswer, PublishRequest } from "../exchange.ts";
import { editionKeyFor } from "../serve-list.ts";
import type { PublishToken } from "../token.ts";
import { selectPulled } from "../token-queries.ts";
import type { Uses } from "../uses.ts";
import { type Announcements, createAnnouncements } from "./announcements.ts";
import { answerToQuery } from "./answer-query.ts";
import { filterOf } from "./filters.ts";
import { createPositions } from "./positions.ts";
import { changesText, type StreamTold, wholeText } from "./stream-text.ts";
import { WITHDRAWN_MAX, withdrawnPrefixes } from "./withdrawn.ts";
import { selectTouched } from "./withdrawn-queries.ts";

export const DECISIONS_PATH = "/v1/decisions";
export const STREAM_PATH = "/v1/decisions/stream";

export interface BouncerParts {
  readonly store: Pick<Store, "sql">;
  readonly ledger: Pick<Ledger, "lists" | "ledgerTimeMs">;
  readonly editions: Editions;
  readonly uses: Pick<Uses, "notePulled">;
  readonly clock: Clock;
  readonly log: Log;
}

export interface BouncerApi {
  decisions(request: PublishRequest, token: PublishToken): Promise<PublishAnswer>;
  stream(request: PublishRequest, token: PublishToken): Promise<PublishAnswer>;
}

const JSON_TYPE = { "content-type": "application/json" } as const;
const KEYS_MAX = 16;
/** In its nftables mode, and its mode is not told. CrowdSec's local API does not mind: a prolonged ban ends there too soon. */
const PASSES_OVER_KNOWN = /^crowdsec-firewall-bouncer\//;

export function createBouncerApi(parts: BouncerParts): BouncerApi {
  const { ledger, editions, clock } = parts;
  const announcements = new Map<string, Announcements>();
  const positions = createPositions();
  let steps = 0;
  const nextNo = () => (steps += 1);

  function announcementsOf(key: EditionKey): Announcements {
    const text = keyText(key);
    const known = announcements.get(text) ?? createAnnouncements({ turnsFor: () => createTurns(clock), nextNo });
    announcements.delete(text);
    announcements.set(text, known);
    const [oldest] = announcements.keys(); // the one that nobody asked for longest
    if (announcements.size > KEYS_MAX && oldest !== undefined) announcements.delete(oldest);
    return known;
  }

  const now = (): UnixSeconds => secondsFromMs(unixMs(ledger.ledgerTimeMs()));

  return {
    async decisions(request, token) {
      const format = "decisions";
      if (request.method === "HEAD") return { status: 200, headers: JSON_TYPE, body: "", format };
      const edition = await editions.current(editionKeyFor(ledger, token, []));
      const told = toldTo(request, token, now());
      const chunks = answerToQuery(edition, request.url.searchParams, told, createTurns(clock));
      return { status: 200, headers: JSON_TYPE, body: { kind: "text", chunks }, format };
    },

    async stream(request, token) {
      const format = "stream";
      const { searchParams } = request.url;
      if (request.method === "HEAD") return { status: 200, headers: JSON_TYPE, body: "", format };
      const key = editionKeyFor(ledger, token, []);
      const [keyed, bouncer] = [keyText(key), `${token.tokenNo} ${request.address}`];
      const edition = await editions.current(key);
      const announced = announcementsOf(key);
      const told = toldTo(request, token, now());
      const step = await announced.advance(edition, told.now);
      const asked = { connection: request.connection, isStarting: searchParams.get("startup") === "true" };
      const known = positions.knows(bouncer, keyed, asked);
      // Only what has arrived: from there on the next process has to tell what is gone.
      if (known !== undefined) parts.uses.notePulled(token.tokenNo, request.address, known.pulled);
      const changes = known === undefined || asked.isStarting ? undefined : announced.since(known.step);
      const gone =
        changes !== undefined || asked.isStarting ? [] : await withdrawn(parts, key, edition, token, request);
      const chunks =
        changes === undefined
          ? wholeText(edition, gone, told, createTurns(clock))
          : changesText(changes, told, createTurns(clock));
      const pulled = { epoch: edition.epoch, revision: edition.revision, atMs: ledger.ledgerTimeMs() };
      const sent = (isWhole: boolean) => {
        if (isWhole) positions.told(bouncer, keyed, { step, pulled }, asked);
      };
      return { status: 200, headers: JSON_TYPE, body: { kind: "text", chunks }, format, sent };
    },
  };
}

function toldTo({ url, headers }: PublishRequest, { maxRank }: PublishToken, now: UnixSeconds): StreamTold {
  const passesOverKnown = PASSES_OVER_KNOWN.test(headers["user-agent"] ?? "");
  return { filter: filterOf(url.searchParams), maxRank, now, passesOverKnown };
}

/** A database that does not answer costs what is gone, not the list: what is gone ends by itself. */
async function withdrawn(
  { store, editions, clock, log }: BouncerParts,
  key: EditionKey,
  edition: Edition,
  token: PublishToken,
  request: PublishRequest,
): Promise<readonly string[]> {
  try {
    const known = await selectPulled(store.sql, token.tokenNo, request.address);
    const pulled = known?.epoch === edition.epoch ? known : undefined;
    const touched = await selectTouched(store.sql, key.lists, pulled, WITHDRAWN_MAX);
    const published = { families: edition.families, maxRank: token.maxRank };
    const finding = withdrawnPrefixes(touched, await editions.sources(key), published);
    const gone = await finishInTurns(finding, createTurns(clock));
    log.info("published.bouncer_told_everything", { token: token.name, listings: edition.size, gone: gone.length });
    return gone;
  } catch (error) {
    log.warn("published.gone_unknown", { token: token.name, error });
    return [];
  }
}
