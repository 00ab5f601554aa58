/**
 * The keys of the policy file by which prefixes are judged: the one place of their names, bounds, defaults and meaning.
 *
 * Weights, corroboration, the ladder of strikes, widening, lists and groups. What feeds, guardrails and reports take from
 * the file stands in tables of their own; `policy-table.ts` joins them.
 */
import type { ConfigTable } from "@fleetban/kit/config";
import { durationSeconds } from "./duration-text.ts";
import { portsProblem } from "./port-ranges.ts";

/** Jails of fail2ban's whose filters read text that the client wrote, a request or a header, beside the address. */
const FORGEABLE_JAILS = [
  "apache-*",
  "nginx-*",
  "lighttpd-*",
  "php-*",
  "traefik-*",
  "haproxy-*",
  "*-badbots",
  "named-*",
];

export const JUDGEMENT_TABLE = {
  "weights.threshold": weight(1, "Sum of the weights of sightings from which on a prefix is listed", 0.01),
  "weights.half_life": {
    kind: "duration",
    default: "1d",
    min: "1m",
    max: "400d",
    description: "After so long a sighting weighs half",
  },
  "weights.jail": weight(1, "What a sighting weighs, of a jail of which nothing else is said"),
  "weights.forgeable": weight(
    0.6,
    "The same for a jail among weights.forgeable_jails: below weights.threshold, a forged line alone lists nobody",
  ),
  "weights.forgeable_jails": {
    kind: "texts",
    default: FORGEABLE_JAILS,
    description: "Jails that read text which an attacker can write; * stands for any text",
    check: (text) =>
      /^[^\s*]*\*?[^\s*]*$/.test(text) && text !== "" ? undefined : "must be a name, with one * at most",
  },
  "weights.udp": weight(
    0.6,
    "Factor for a jail that watches UDP: whoever sends it can write any address as its sender",
  ),
  "weights.fail2ban": weight(1, "Factor for what fail2ban's action told"),
  "weights.log": weight(1, "Factor for what was read in fail2ban's log"),
  "weights.socket": weight(1, "Factor for what other programs told by the agent's socket"),
  "weights.import": weight(1, "Factor for what was imported from fail2ban's database or a file of bans"),
  jails: {
    kind: "named",
    description: "What differs for one jail, by the jail's name",
    of: {
      weight: {
        kind: "number",
        default: undefined,
        min: 0,
        max: 1_000,
        isFraction: true,
        description:
          "What its sightings weigh; 0 = they are stored and never list. Default: weights.jail or weights.forgeable",
      },
      list: { kind: "text", default: "fleet", description: "The list for what it bans: fleet, or a name below lists" },
    },
  },
  "corroboration.agents": {
    kind: "number",
    default: 1,
    min: 1,
    max: 32,
    description: "So many agents must have sighted a prefix before it is listed",
  },
  "corroboration.within": {
    kind: "duration",
    default: "1d",
    min: "1m",
    max: "400d",
    description: "Their newest sightings must be no older than this",
  },
  "corroboration.feeds": {
    kind: "flag",
    default: true,
    description: "Whether standing in an enforced or observed feed counts as one more agent",
  },
  "strikes.ladder": {
    kind: "texts",
    default: ["1h", "4h", "1d", "7d", "30d"],
    description: "How long the first strike lists a prefix, the second, and so on; the last for all further ones",
    check: (text) => (durationSeconds(text) === undefined ? "must hold durations like 1h, 7d or 1h30m" : undefined),
  },
  "strikes.minimum": {
    kind: "duration",
    default: "10m",
    min: "0s",
    max: "400d",
    description: "No sighting lists for less",
  },
  "strikes.maximum": {
    kind: "duration",
    default: "30d",
    min: "1m",
    max: "400d",
    description: "No sighting lists for longer, however long the local ban",
  },
  "strikes.forget_after": {
    kind: "duration",
    default: "30d",
    min: "1h",
    max: "400d",
    description: "Strikes are forgotten, and the ladder begins anew, when the last has been over for so long",
  },
  "strikes.repeat_offender": {
    kind: "number",
    default: 3,
    min: 1,
    max: 1_000,
    description: "From so many strikes on the rank is that of a repeat offender",
  },
  "ipv6.networks": {
    kind: "number",
    default: 4,
    min: 0,
    max: 256,
    description:
      "With so many networks of 64 bits listed the /56 around them is, and with so many of those the /48; 0 = never",
  },
  "ipv6.agents": {
    kind: "number",
    default: 2,
    min: 1,
    max: 32,
    description: "So many agents must have sighted what is widened",
  },
  "ipv4.addresses": {
    kind: "number",
    default: 0,
    min: 0,
    max: 256,
    description: "With so many addresses listed the network around them is, of ipv4.length bits; 0 = never",
  },
  "ipv4.agents": {
    kind: "number",
    default: 2,
    min: 1,
    max: 32,
    description: "So many agents must have sighted what is widened",
  },
  "ipv4.length": {
    kind: "number",
    default: 24,
    min: 24,
    max: 31,
    description: "Bits of that network: 24 = 256 addresses",
  },
  lists: {
    kind: "named",
    description: "Deny lists of the operator's own, by name; `jails` and feeds say what goes to them",
    of: {
      ports: {
        kind: "text",
        default: undefined,
        description: "Ports that are closed to what is listed, like 22 or 80,443,8000-8100; default: all traffic",
        check: portsProblem,
        separator: ",",
      },
      protocol: { kind: "choice", of: ["tcp", "udp"], default: "tcp", description: "Protocol of these ports" },
    },
  },
  groups: {
    kind: "named",
    description: "Which deny lists the agents of a group enforce, by the group's name; other groups enforce all",
    of: { lists: { kind: "texts", description: "Names of lists: fleet, feeds, and those below lists" } },
  },
  "quota.burst": {
    kind: "number",
    default: 5_000, // a server under the heaviest distributed attack bans some thousand addresses an hour
    min: 1,
    max: 1_000_000,
    description: "So many sightings an agent may send at once",
  },
  "quota.per_minute": {
    kind: "number",
    default: 600,
    min: 0,
    max: 1_000_000,
    description: "And so many a minute; what is beyond is stored and lists nothing",
  },
  "claims.widely_sighted": {
    kind: "number",
    default: 3,
    min: 1,
    max: 32,
    description: "An agent's claim to an address that so many agents have sighted is held",
  },
  prune_after: {
    kind: "duration",
    default: undefined,
    min: "7d",
    max: "400d",
    description:
      "An open-ended ban ends when no server has dropped a packet from there or sighted it for so long; default: never",
  },
} as const satisfies ConfigTable;

function weight(value: number, description: string, min = 0) {
  return { kind: "number", default: value, min, max: 1_000, isFraction: true, description } as const;
}
