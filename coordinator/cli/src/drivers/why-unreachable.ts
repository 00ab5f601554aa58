/**
 * Why a connection did not come about, in words and with a remedy. The gRPC library tells it in the text of its status only:
 * this is the one place that reads it, and what it does not know is left out.
 */

export interface Unreachable {
  /** Empty = not known. */
  readonly why: string;
  /** Undefined = that of the way. */
  readonly hint?: string;
}

const PORT_HINT =
  "is the coordinator running there, and is that its port for agents and operators (7741 unless configured otherwise)?";
const AUTHORITY_HINT =
  "is that address right? --credentials must be of this very coordinator: there, `fleetban certificates create NAME` makes them";
const NETWORK_HINT = "is that machine up, and does its firewall let this one in?";

const CAUSES: readonly (readonly [sign: RegExp, over: "socket" | "network" | "both", cause: Unreachable])[] = [
  [/\bENOENT\b/, "socket", { why: "there is no such socket" }],
  [/\bECONNREFUSED\b/, "socket", { why: "nobody listens there" }],
  [
    /\bE(?:ACCES|PERM)\b/,
    "socket",
    { why: "permission denied", hint: "it is its owner's alone: repeat the command with sudo, or use --credentials" },
  ],
  [/\bECONNREFUSED\b/, "network", { why: "nobody listens there", hint: PORT_HINT }],
  [/\bE(?:HOST|NET)UNREACH\b/, "network", { why: "no way leads there", hint: NETWORK_HINT }],
  [/\bETIMEDOUT\b/, "network", { why: "it does not answer", hint: NETWORK_HINT }],
  [
    /^Name resolution failed/,
    "network",
    { why: "that name has no address", hint: "is it written right, as host:port?" },
  ],
  [
    /wrong version number|packet length too long/,
    "network",
    { why: "what listens there speaks no TLS", hint: PORT_HINT },
  ],
  [
    /self-signed certificate|unable to (?:verify|get (?:local )?issuer)|ALTNAME_INVALID|certificate signature failure/,
    "network",
    { why: "what listens there has another authority's certificate", hint: AUTHORITY_HINT },
  ],
  [
    /certificate has expired/,
    "network",
    { why: "its certificate has ended", hint: "are both machines' clocks right?" },
  ],
  [
    /alert (?:unknown ca|bad certificate|certificate)/,
    "network",
    { why: "it does not take this certificate", hint: AUTHORITY_HINT },
  ],
  [/\bECONNRESET\b|socket hang up/, "both", { why: "the connection broke off", hint: PORT_HINT }],
];

/** Of a status `UNAVAILABLE`; the first that fits. */
export function whyUnreachable(details: string, over: "socket" | "network"): Unreachable {
  const known = CAUSES.find(([sign, where]) => (where === over || where === "both") && sign.test(details));
  return known?.[2] ?? { why: "" };
}
