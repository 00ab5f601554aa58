import { FleetbanError } from "@fleetban/kit/errors";

/** Codes: `coordinator-unreachable`, `wrong-coordinator`, `enrollment-refused`, `already-enrolled`, `no-token`. */
export class EnrollError extends FleetbanError {}
