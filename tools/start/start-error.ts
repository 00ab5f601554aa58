import { FleetbanError } from "../../kit/src/errors.ts";

/** Codes: `bad-options`, `port-taken`, `data-in-use`, `data-unwritable`, `program-ended`, `not-ready`, `not-root`. */
export class StartError extends FleetbanError {}
