/**
 * Input of `nft -f`: one transaction that puts the sets of a table in place of what they held. The rule that uses them is
 * the administrator's, and stays as it is.
 */
import { type Format, rowsAsText } from "./format.ts";

const TYPES = { 4: "ipv4_addr", 6: "ipv6_addr" } as const;

export const NFT: Format = {
  contentType: "text/plain; charset=utf-8",
  needsAggregation: true, // intervals that lie in each other are an error
  isAggregated: true,
  hasTimeouts: false,
  *text({ families, name }) {
    yield `add table inet ${name}\n`;
    for (const columns of families) {
      const set = `inet ${name} v${columns.family}`;
      yield `add set ${set} { type ${TYPES[columns.family]}; flags interval; }\nflush set ${set}\n`;
      for (const chunk of rowsAsText([columns], ({ prefix }) => prefix, ",")) {
        const elements = chunk.startsWith(",") ? chunk.slice(1) : chunk;
        yield `add element ${set} { ${elements} }\n`;
      }
    }
  },
};
