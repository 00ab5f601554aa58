/**
 * A script for RouterOS' `/import`. Two address lists take turns: the one that is not in use is filled, then the other is
 * emptied, so that nothing is let in meanwhile; the firewall has a rule for each.
 *
 * The variables are global, because `/import verbose=yes` runs each line by itself.
 */
import { type Format, rowsAsText } from "./format.ts";

const MENUS = { 4: "/ip", 6: "/ipv6" } as const;

export const MIKROTIK: Format = {
  contentType: "text/plain; charset=utf-8",
  needsAggregation: false,
  isAggregated: true,
  hasTimeouts: false,
  *text({ families, name }) {
    yield ":global fleetbanNew\n:global fleetbanOld\n";
    for (const columns of families) {
      const menu = `${MENUS[columns.family]} firewall address-list`;
      const [a, b] = [`${name}-a`, `${name}-b`];
      yield `:set fleetbanNew "${a}"\n:set fleetbanOld "${b}"\n`;
      yield `:if ([:len [${menu} find list="${a}"]] > 0) do={ :set fleetbanNew "${b}"; :set fleetbanOld "${a}" }\n`;
      yield `${menu} remove [${menu} find list=$fleetbanNew]\n`;
      yield* rowsAsText([columns], ({ prefix }) => `${menu} add list=$fleetbanNew address=${prefix}\n`);
      yield `${menu} remove [${menu} find list=$fleetbanOld]\n`;
    }
    yield ":set fleetbanNew\n:set fleetbanOld\n";
  },
};
