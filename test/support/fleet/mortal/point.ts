/** Where a program can be made to die, in the order in which a sighting passes. */

export const AGENT_POINTS = [
  "hand-off-read", // the bytes are read, nothing is spooled
  "spool-unwritten",
  "spool-torn", // half of the batch is on disk
  "spool-synced", // and nobody has been told
  "unsent",
  "sent",
  "ack-arrived", // and was not looked at
  "ack-taken",
] as const;

export const COORDINATOR_POINTS = [
  "sightings-arrived", // before the commit
  "committed", // before the acknowledgement
] as const;

export type Point = (typeof AGENT_POINTS)[number] | (typeof COORDINATOR_POINTS)[number];

let chosen: string | undefined;

export function choosePoint(point: string): void {
  chosen = point;
}

export function isPoint(point: Point): boolean {
  return chosen === point;
}

/** Does not return if this is the point. */
export function mayDie(point: Point): void {
  if (isPoint(point)) process.kill(process.pid, "SIGKILL");
}
