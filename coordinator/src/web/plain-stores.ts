/**
 * Postgres and Redis that are reached over a network without TLS: whoever is on that network reads lists and sightings, and
 * can write bans. Told by the URLs alone, before anything is dialled.
 *
 * Loopback and unix sockets never leave the machine. `sslmode=prefer` is no protection: it goes on without TLS when asked to.
 */
import { tryParsePrefix } from "@fleetban/proto/model/prefix";

export type PlainStoreWarnable = "database-plaintext" | "redis-plaintext";

export interface PlainStore {
  readonly code: PlainStoreWarnable;
  /** The host as the URL names it. */
  readonly subject: string;
}

export interface StoreUrls {
  readonly database_url: string | undefined;
  readonly redis_url: string | undefined;
  /** The network is the coordinator's own, such as one of containers on one machine. */
  readonly plain_stores_expected: boolean;
}

/** postgres.js encrypts at any other value, and gives up where the server can't. */
const WITHOUT_TLS: readonly (string | null)[] = [null, "disable", "false", "prefer"];

export function plainStores({ database_url, redis_url, plain_stores_expected }: StoreUrls): readonly PlainStore[] {
  if (plain_stores_expected) return [];
  const found: PlainStore[] = [];
  const database = database_url === undefined ? undefined : plainDatabase(database_url);
  const redis = redis_url === undefined ? undefined : plainRedis(redis_url);
  if (database !== undefined) found.push({ code: "database-plaintext", subject: database });
  if (redis !== undefined) found.push({ code: "redis-plaintext", subject: redis });
  return found;
}

/** The first host on a network; several are written `one:5432,two:5433`. */
function plainDatabase(text: string): string | undefined {
  const [, authority = "", query = ""] = /^[a-z]+:\/\/([^/?]*)[^?]*(?:\?(.*))?$/.exec(text) ?? [];
  const parameters = new URLSearchParams(query);
  const isVerified = parameters.get("sslrootcert") === "system";
  if (isVerified || !WITHOUT_TLS.includes(parameters.get("sslmode") ?? parameters.get("ssl"))) return undefined;
  const hosts = decodeURIComponent(authority.slice(authority.lastIndexOf("@") + 1)).split(",");
  return hosts.map(hostOf).find(isOnNetwork);
}

function plainRedis(text: string): string | undefined {
  if (!/^redis:\/\//.test(text)) return undefined; // rediss://, or the path of a socket
  const [, authority = ""] = /^redis:\/\/([^/?]*)/.exec(text) ?? [];
  const host = hostOf(authority.slice(authority.lastIndexOf("@") + 1));
  return isOnNetwork(host) ? host : undefined;
}

function hostOf(place: string): string {
  return /^\[(.*)\]/.exec(place)?.[1] ?? (place.startsWith("/") ? place : (place.split(":")[0] ?? ""));
}

function isOnNetwork(host: string): boolean {
  if (host === "" || host.startsWith("/") || host === "localhost" || host.endsWith(".localhost")) return false;
  const address = tryParsePrefix(host);
  return address === undefined || !(address.startsWith("127.") || address === "::1");
}
