import { FleetbanError } from "@fleetban/kit/errors";

/**
 * Codes: `fail2ban-unreachable` (no server at the socket, or none that answers in time), `fail2ban-refused` (it answers
 * with an exception), `fail2ban-garbled` (its answer can't be read).
 */
export class Fail2banError extends FleetbanError {}
