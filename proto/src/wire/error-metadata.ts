/** Keys of the trailing metadata in which a failed call carries the error's code and its remedy. */
export const CODE_KEY = "fleetban-code";
/** UTF-8 bytes. */
export const HINT_KEY = "fleetban-hint-bin";
/** Who types at the unix socket, as the CLI says it; UTF-8 bytes, for the audit log. */
export const OPERATOR_KEY = "fleetban-operator-bin";
