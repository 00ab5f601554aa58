/**
 * What both ends of a connection must have alike: the name in the coordinator's certificate, ports, limits, keepalive.
 *
 * The certificate carries one fixed DNS name whatever address it is reached by: a client that gave an IP address as TLS
 * server name is refused by newer Nodes, and the certificate stays valid when the coordinator moves.
 */

/** Name in the coordinator's certificate; nobody resolves it. */
export const COORDINATOR_NAME = "coordinator.fleetban.internal";

/** Version in `Hello` and `Welcome`. */
export const PROTOCOL_VERSION = 1;

/** Features that an agent can honor, as numbered in `Hello.features` and `List.requires`. */
export const FEATURE = { exemptLists: 1, reachByPorts: 2 } as const;

export const FLEET_PORT = 7741;
export const ENROLLMENT_PORT = 7742;
export const WEB_PORT = 7743;

/** An agent's message: 1,000 sightings with 1 kB of evidence each fit. */
export const AGENT_MESSAGE_MAX_BYTES = 2 * 1024 * 1024;
/** A delta may be half of a large list; a snapshot comes in chunks of 64 kB. */
export const COORDINATOR_MESSAGE_MAX_BYTES = 64 * 1024 * 1024;
/** A request with a key of 91 bytes and no wishes; what is larger is none of ours. */
export const CERTIFICATE_REQUEST_MAX_BYTES = 4_096;

/** Idle pings that find a dead peer: within 30 s by a client, 45 s by the coordinator. */
const CLIENT_PING_MS = 20_000;
const SERVER_PING_MS = 30_000;
const PING_TIMEOUT_MS = 10_000;
/** The coordinator closes a connection that pings more often; smaller than CLIENT_PING_MS or clients are cut. */
const CLIENT_PING_MIN_MS = 10_000;

/** Channel options of a client; with credentials of its own certificate and the fleet's CA as only root. */
export const CLIENT_CHANNEL_OPTIONS = {
  "grpc.ssl_target_name_override": COORDINATOR_NAME,
  "grpc.default_authority": COORDINATOR_NAME,
  "grpc.keepalive_time_ms": CLIENT_PING_MS,
  "grpc.keepalive_timeout_ms": PING_TIMEOUT_MS,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.max_receive_message_length": COORDINATOR_MESSAGE_MAX_BYTES,
  "grpc.max_send_message_length": AGENT_MESSAGE_MAX_BYTES,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_channelz": 0,
  "grpc.enable_retries": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
} as const;

/** Options of the coordinator's gRPC servers. */
export const SERVER_CHANNEL_OPTIONS = {
  "grpc.keepalive_time_ms": SERVER_PING_MS,
  "grpc.keepalive_timeout_ms": PING_TIMEOUT_MS,
  "grpc.http2.min_ping_interval_without_data_ms": CLIENT_PING_MIN_MS,
  "grpc.max_receive_message_length": AGENT_MESSAGE_MAX_BYTES,
  "grpc.max_send_message_length": COORDINATOR_MESSAGE_MAX_BYTES,
  "grpc.enable_channelz": 0,
  "grpc.so_reuseport": 0,
  // An agent has one stream and now and then a call; an operator a few calls.
  "grpc.max_concurrent_streams": 100,
} as const;
