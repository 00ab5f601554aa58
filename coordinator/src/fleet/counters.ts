/** What the room has done since its start, for the metrics page. */
export interface FleetCounters {
  messages: number;
  sightings: number;
  deltas: number;
  deltaBytes: number;
  /** By reason. */
  readonly snapshots: Map<string, number>;
  violations: number;
  goodbyes: number;
  clones: number;
  /** Streams turned away because their agent begins too many. */
  overQuota: number;
}

export function createCounters(): FleetCounters {
  return {
    messages: 0,
    sightings: 0,
    deltas: 0,
    deltaBytes: 0,
    snapshots: new Map(),
    violations: 0,
    goodbyes: 0,
    clones: 0,
    overQuota: 0,
  };
}
