import { FleetbanError } from "@fleetban/kit/errors";

/**
 * Codes: `spool-unwritable` (no room, no permission, a failing disk: nothing of the batch counts, try again later),
 * `spool-too-large` (one record is larger than a record may be), `spool-closed`.
 */
export class SpoolError extends FleetbanError {}
