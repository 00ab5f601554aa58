/** Where a program can be made to die, in the order in which a sighting, then a listing passes. */

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

export const KERNEL_POINTS = [
  "batch-half", // some messages of a load are with the kernel, more were to follow
  "swap-unsent", // the larger set is filled
  "swapped", // the smaller one is still there
  "mirror-torn", // half of a delta is in the mirror's log
  "base-unwritten", // of the mirror or the boot files
] as const;

export type Point =
  | (typeof AGENT_POINTS)[number]
  | (typeof COORDINATOR_POINTS)[number]
  | (typeof KERNEL_POINTS)[number];

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
