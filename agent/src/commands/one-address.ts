import { isSingle, type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { OwnBanError } from "./own-ban-error.ts";

/** Of an argument. Throws PrefixError, or OwnBanError for a network. */
export function oneAddress(text: string): Prefix {
  const address = parsePrefix(text);
  if (isSingle(address)) return address;
  throw new OwnBanError("is-network", `${text}: is a network; a server bans single addresses`, {
    hint: `for the whole fleet an operator types \`fleetban ban ${text} --for 7d\` on the coordinator`,
  });
}
