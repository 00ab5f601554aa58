/**
 * Input of `ipset restore -exist`: fills sets beside the old ones and swaps them in, so that nothing is let in meanwhile.
 *
 * `create` of a set that exists is accepted only with the same options: they are the same in every edition.
 */
import { secondsLeft } from "@fleetban/proto/model/until";
import { type Format, rowsAsText } from "./format.ts";

const MAX_ENTRIES = 4_194_304; // takes no memory by itself
const TIMEOUT_MAX_SECONDS = 2_147_483; // 2^31 - 1 ms
const FAMILY_NAMES = { 4: "inet", 6: "inet6" } as const;

export const IPSET: Format = {
  contentType: "text/plain; charset=utf-8",
  needsAggregation: false,
  isAggregated: true,
  hasTimeouts: true,
  *text({ families, name, timeoutsFrom }) {
    const options = timeoutsFrom === undefined ? "" : " timeout 0";
    for (const columns of families) {
      const { family } = columns;
      const set = `${name}-v${family}`;
      const filled = `${set}-n`;
      for (const created of [set, filled]) {
        yield `create ${created} hash:net family ${FAMILY_NAMES[family]} maxelem ${MAX_ENTRIES}${options}\n`;
      }
      yield `flush ${filled}\n`;
      yield* rowsAsText([columns], ({ prefix, until }) => {
        if (timeoutsFrom === undefined) return `add ${filled} ${prefix}\n`;
        const left = secondsLeft(until, timeoutsFrom);
        // 0 = no timeout: what is open-ended stays until the next edition comes.
        const timeout = Number.isFinite(left) ? Math.min(Math.max(1, left), TIMEOUT_MAX_SECONDS) : 0;
        return `add ${filled} ${prefix} timeout ${timeout}\n`;
      });
      yield `swap ${set} ${filled}\ndestroy ${filled}\n`;
    }
  },
};
