/** An agent in which all is well. */
import type { AgentStatus } from "./status.ts";

export const WELL: AgentStatus = {
  version: "1.2.3",
  name: "web1",
  agentId: "0f0e0d0c-0b0a-0908-0706-050403020100",
  startedAtMs: 1_795_000_000_000,
  nowMs: 1_795_003_600_000,
  link: { kind: "online", address: "fleet.example:7741", sinceMs: 1_795_000_001_000, agentId: "0f0e" },
  clockSkewMs: 12,
  certificateEndsAtMs: 1_795_003_600_000 + 90 * 86_400_000,
  lists: [
    {
      name: "fleet",
      effect: "deny",
      revision: 7,
      enforcedRevision: 7,
      digest: "00",
      listings: 12_345,
      kernelEntries: 12_345,
      leftOut: 0,
      kept: 0,
      refused: 0,
      unsupported: false,
      checkedAtMs: 1_795_003_590_000,
    },
  ],
  firewall: {
    backend: "ipset",
    via: "netlink",
    rules: "present",
    ownEntries: 7,
    localEntries: 1,
    batchEntries: 512,
    applyP99Us: 5_200,
    driftEntries: 0,
    driftSets: 0,
    driftRules: 0,
  },
  spool: { sightings: 0, oldestMs: 0, lost: 0 },
  sightingsBySource: { fail2ban: 3, socket: 0 },
  warnables: [],
};
