/** Every key of agent.yaml, with unit, default and meaning. The handbook's table is made from this one. */
import type { ConfigTable } from "@fleetban/kit/config";

const ADDRESS = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$/;
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u;

export const AGENT_CONFIG = {
  data_dir: {
    kind: "text",
    default: "/var/lib/fleetban/agent",
    description: "Identity, mirror, spool and the files of the boot load; 0700, the agent's alone.",
    check: absolute,
  },
  name: {
    kind: "text",
    default: "",
    description: "How operators see this server; empty = its host name.",
    check: (text) => (text === "" || NAME.test(text) ? undefined : "must be 1 to 64 letters, digits, blanks or ._-"),
  },
  coordinators: {
    kind: "texts",
    default: [],
    description:
      "Fleet addresses of the coordinators as host:port, tried in turn; empty = those learned at enrollment.",
    check: (text) => (ADDRESS.test(text) ? undefined : "must be host:port, such as fleet.example.org:7741"),
  },
  backend: {
    kind: "choice",
    of: ["auto", "ipset", "nftables", "blackhole", "dry-run"],
    default: "auto",
    description:
      "What is enforced with: auto = the first of ipset (with iptables), nftables and blackhole routes that works, nftables first where the machine's own firewall is native nftables; dry-run only counts and changes nothing in the kernel.",
  },
  verdict: {
    kind: "choice",
    of: ["drop", "reject"],
    default: "drop",
    description:
      "What becomes of a packet from a listed source: drop = silence, reject = an answer (tcp-reset, or port unreachable).",
  },
  hook: {
    kind: "choice",
    of: ["conntrack", "raw"],
    default: "conntrack",
    description:
      "Where packets are looked at: conntrack = behind it, so that answers to this machine's own connections come in; raw = before it, cheaper under a flood, and answers from a listed address are lost.",
  },
  ipset_via: {
    kind: "choice",
    of: ["auto", "netlink", "process"],
    default: "auto",
    description:
      "How the kernel's sets are reached: netlink, or one long-lived ipset process where that can't be loaded.",
  },
  max_entries: {
    kind: "number",
    default: 500_000,
    min: 1_024,
    max: 16_000_000,
    description:
      "Listings that this machine's kernel shall hold; the best ranks are kept, the rest counted as left out.",
  },
  lease: {
    kind: "duration",
    default: "7d",
    min: "1h",
    max: "24d",
    description:
      "Longest kernel timeout of an entry, written anew while its listing lasts; an agent that died leaves a kernel that empties itself.",
  },
  protect_sessions: {
    kind: "flag",
    default: true,
    description:
      "Never ban the address of somebody who is logged in by SSH, or was within the hour; the coordinator's settings can switch it off, too.",
  },
  sshd_log: {
    kind: "text",
    default: "",
    description:
      "Where sshd's logins are read beside logind's sessions; empty = /var/log/auth.log, else /var/log/secure, else /var/log/messages.",
    check: absoluteOrEmpty,
  },
  "pace.target_ms": {
    kind: "number",
    default: 50,
    min: 1,
    max: 10_000,
    unit: "milliseconds",
    description: "How long one bulk batch may take in the kernel; batches grow and shrink to it.",
  },
  "pace.cpu_permille": {
    kind: "number",
    default: 200,
    min: 1,
    max: 1_000,
    description: "Thousandths of wall time that bulk loading may take.",
  },
  "reconcile.check_every": {
    kind: "duration",
    default: "1s",
    min: "1s",
    max: "1h",
    description: "How often sets, counts and rules in the kernel are looked at.",
  },
  "reconcile.read_back_every": {
    kind: "duration",
    default: "10m",
    min: "10s",
    max: "7d",
    description: "How often a list's entries are read back whole from the kernel, paced.",
  },
  "hits.every": {
    kind: "duration",
    default: "5m",
    min: "10s",
    max: "1d",
    description: "How often it is looked which listings have dropped packets; a coordinator is told after it.",
  },
  "health.host": {
    kind: "text",
    default: "127.0.0.1",
    description: "Where /livez, /readyz, /status and /metrics listen.",
  },
  "health.port": { kind: "number", default: 7_744, min: 0, max: 65_535, description: "Their port; 0 = off." },
  socket: {
    kind: "text",
    default: "/run/fleetban/agent.sock",
    description: "Unix socket that takes JSON lines from any tool; empty = off.",
    check: absoluteOrEmpty,
  },
  "fail2ban.handoff": {
    kind: "text",
    default: "/var/lib/fail2ban/fleetban/handoff",
    description: "File that fail2ban's action appends to; empty = off.",
    check: absoluteOrEmpty,
  },
  "fail2ban.socket": {
    kind: "text",
    default: "/run/fail2ban/fail2ban.sock",
    description: "fail2ban's own socket, for lifting pardoned bans and finding missed ones; empty = off.",
    check: absoluteOrEmpty,
  },
  "fail2ban.compare_every": {
    kind: "duration",
    default: "3m",
    min: "2s",
    max: "1d",
    description: "How often fail2ban is asked what it bans, to find what was not handed over.",
  },
  "fail2ban.quiet_after": {
    kind: "duration",
    default: "1d",
    min: "1m",
    max: "400d",
    description: "How long a jail's log may stand still, while another jail's grows, before it is warned of.",
  },
  "fail2ban.log": {
    kind: "text",
    default: "",
    description: "fail2ban.log to follow where jails can't be changed, or beside the action; empty = off.",
    check: absoluteOrEmpty,
  },
  spool_max: {
    kind: "bytes",
    default: "64MiB",
    description: "Room for sightings that no coordinator has acknowledged.",
  },
  log_level: {
    kind: "choice",
    of: ["debug", "info", "warn", "error"],
    default: "info",
    description: "Least level that is logged.",
  },
} as const satisfies ConfigTable;

function absolute(text: string): string | undefined {
  return text.startsWith("/") ? undefined : "must be an absolute path, beginning with /";
}

function absoluteOrEmpty(text: string): string | undefined {
  return text === "" ? undefined : absolute(text);
}
