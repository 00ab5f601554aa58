/** Stands in for @grpc/proto-loader, which grpc-js needs for channelz only: 140 kB of protobufjs less in the agent. */
const refuse = () => {
  throw new Error("@grpc/proto-loader is left out of this build; channelz needs it");
};

export const load = refuse;
export const loadSync = refuse;
