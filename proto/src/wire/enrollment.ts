/** How a server becomes an agent: client, server and messages. */
// biome-ignore-all lint/performance/noBarrelFile: generated code is imported in this folder only, so it is passed on
export {
  EnrollmentClient,
  type EnrollmentServer,
  EnrollmentService,
  EnrollRequest,
  EnrollResponse,
} from "./gen/fleetban/v1/enrollment.ts";
