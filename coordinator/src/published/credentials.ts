/** The token that a request brings: firewalls differ in what they can send. */
import type { PublishRequest } from "./exchange.ts";

/** X-Api-Key, then a bearer token, then the password of Basic, then `?token=`; undefined = none. */
export function tokenOf({ headers, url }: Pick<PublishRequest, "headers" | "url">): string | undefined {
  const key = headers["x-api-key"];
  if (typeof key === "string" && key !== "") return key;
  const [, scheme = "", value = ""] = /^(\S+)\s+(\S+)$/.exec(headers.authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return value;
  if (scheme.toLowerCase() === "basic") {
    const text = Buffer.from(value, "base64").toString("utf8");
    return text.slice(text.indexOf(":") + 1);
  }
  return url.searchParams.get("token") ?? undefined;
}
