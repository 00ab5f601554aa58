/** An enrolled agent as the room knows it, from its row and its certificate. */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Settings } from "@fleetban/proto/wire/fleet";

export interface Agent {
  readonly agentNo: number;
  readonly agentId: string;
  readonly name: string;
  readonly group: AgentGroup;
  /** Of the certificate that it shows. */
  readonly serial: string;
  readonly certificateEndsAtMs: number;
}

/** Agents that share lists and settings. */
export interface AgentGroup {
  readonly name: string;
  readonly lists: ReadonlySet<ListNo>;
  /** What the group's row says differently from the defaults. */
  readonly settings: Partial<GroupSettings>;
}

export interface GroupSettings {
  readonly local_seconds: number;
  readonly session_protection: boolean;
  readonly hits_top: number;
  readonly pace_target_ms: number;
  readonly pace_cpu_permille: number;
  readonly spool_max_bytes: number;
}

/** What a group does not set. */
const DEFAULTS: GroupSettings = {
  local_seconds: 7 * 86_400, // fail2ban bans for minutes to days; what is worth more comes back as a listing
  session_protection: true,
  hits_top: 20,
  pace_target_ms: 50,
  pace_cpu_permille: 250,
  spool_max_bytes: 64 * 1024 * 1024,
};

export function settingsOf(group: AgentGroup): Settings {
  const settings = { ...DEFAULTS, ...group.settings };
  return {
    revision: 0,
    localSeconds: settings.local_seconds,
    sessionProtection: settings.session_protection,
    hitsTop: settings.hits_top,
    pace: { targetMs: settings.pace_target_ms, cpuPermille: settings.pace_cpu_permille },
    spoolMaxBytes: settings.spool_max_bytes,
    group: group.name,
  };
}
