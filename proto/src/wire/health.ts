/** grpc.health.v1, for whoever serves or asks it. */
// biome-ignore-all lint/performance/noBarrelFile: generated code is imported in this folder only, so it is passed on
export {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthClient,
  type HealthServer,
  HealthService,
} from "./gen/grpc/health/v1/health.ts";
