/** fail2ban's bans as the pardons see them: single addresses, on the ledger's clock. */
import { isSingle, type Prefix, tryParsePrefix } from "@fleetban/proto/model/prefix";
import { secondsFromMs } from "@fleetban/proto/model/time";
import { readBannedLine } from "../sources/fail2ban/banned-line.ts";
import type { Fail2banServer } from "../sources/fail2ban/server.ts";
import type { BanSource } from "./lift-pardoned.ts";
import type { LocalBan } from "./plan-lifts.ts";

/** `skewMs`: this machine's clock minus the ledger's. */
export function fail2banBans(server: Fail2banServer, skewMs: () => number): BanSource {
  async function bansOf(jail: string): Promise<readonly LocalBan[]> {
    const lines = await server.bannedWithTime(jail);
    return lines.flatMap((line) => {
      const banned = readBannedLine(line);
      const address = banned && tryParsePrefix(banned.id);
      if (banned === undefined || address === undefined || !isSingle(address)) return [];
      return [{ address, jail, bannedAt: secondsFromMs(banned.bannedAtMs - skewMs()) }];
    });
  }
  return {
    async bans() {
      const bans: LocalBan[] = [];
      for (const [jail, ids] of await server.banned()) if (ids.length > 0) bans.push(...(await bansOf(jail)));
      return bans;
    },
    async unban(addresses: readonly Prefix[]) {
      await server.unban(addresses);
    },
  };
}
