import { FleetbanError } from "@fleetban/kit/errors";

/**
 * Codes: `not-banned` (the agent refuses it, and says why), `not-lifted`, `is-network` (agents ban single addresses),
 * `not-imported` (a file or database can't be read, or has lines that can't be imported).
 */
export class OwnBanError extends FleetbanError {}
