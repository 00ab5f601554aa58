/**
 * The import rules: which room may know which. tools/check/structure.test.ts plants a violation of each.
 *
 * Type-only imports carry no behavior: a rule about effects lets them pass, a rule about direction does not.
 */
const TEST = "\\.(test|fixture)\\.ts$|^(test|bench|tools)/";
const PURE_ROOM = "^(proto/src/model|coordinator/src/policy|agent/src/mirror)/";
const PURE_FILE = "/(plan|decide)[^/]*\\.ts$";
// Keys of the policy file are data, and what compares them is pure: the policy joins those of all rooms.
const KEY_TABLE = "/([^/]+-table|compare-[^/]+)\\.ts$";
// Computing, no effects: hashes, checksums, assertions.
const PURE_CORE = "^(node:)?(assert|buffer|crypto|util|zlib)(/|$)";
const OUTSIDE_CORE = "^(node:)?(child_process|cluster|dgram|dns|fs|http|http2|https|net|tls|worker_threads)(/|$)";
const OUTSIDE_PACKAGE = "node_modules/(@grpc/grpc-js|bullmq|ioredis|koffi|postgres)/";
const MAY_TOUCH_OUTSIDE = "/(drivers|store|jobs|commands)/|/main\\.ts$|^proto/src/wire/";

// Asked for by itself (npm run check -- unused): while a room is being built its files are not in use yet.
const FINDS_UNUSED = process.env.FLEETBAN_FIND_UNUSED === "1";
const FOR_TESTS_ONLY = "^kit/src/(virtual-[^/]+|silent-[^/]+)\\.ts$|^proto/src/wire/gen/";

/** A named rule; every one is an error. */
const forbid = (name, comment, from, to) => ({ name, comment, severity: "error", from, to });

const used = forbid(
  "used",
  "no program reaches it; only tests keep it",
  { path: "^(agent|coordinator|coordinator/cli)/src/main\\.ts$" },
  { path: "^(kit|proto|agent|coordinator)/.*\\.ts$", pathNot: [TEST, FOR_TESTS_ONLY, "/main\\.ts$"], reachable: false },
);

module.exports = {
  forbidden: [
    forbid("no-cycle", "files that need each other are one file, or miss a third", {}, { circular: true }),
    forbid(
      "no-orphan",
      "nothing imports it and it imports nothing",
      { orphan: true, pathNot: ["\\.d\\.ts$", "^tools/build/proto-loader\\.mjs$", "\\.main\\.ts$"] }, // by alias; started by path
      {},
    ),
    forbid("resolvable", "the import leads nowhere", {}, { couldNotResolve: true }),
    forbid(
      "agent-not-coordinator",
      "the agent knows the coordinator by the wire only",
      { path: "^agent/", pathNot: TEST },
      { path: "^coordinator/" },
    ),
    forbid(
      "coordinator-not-agent",
      "the coordinator knows agents by the wire only",
      { path: "^coordinator/", pathNot: TEST },
      { path: "^agent/" },
    ),
    forbid(
      "cli-by-api",
      "the CLI and the dashboard know the coordinator by its API only",
      { path: "^coordinator/(cli|dashboard)/", pathNot: TEST },
      { path: "^coordinator/src/" },
    ),
    forbid(
      "coordinator-not-cli",
      "the coordinator does not know who calls it",
      { path: "^coordinator/src/", pathNot: TEST },
      { path: "^coordinator/(cli|dashboard)/" },
    ),
    forbid("kit-alone", "kit imports nothing of ours", { path: "^kit/" }, { path: "^(proto|agent|coordinator)/" }),
    forbid("proto-on-kit", "proto imports kit only", { path: "^proto/" }, { path: "^(agent|coordinator)/" }),
    forbid(
      "model-not-wire",
      "the wire is made of the model, not the other way round",
      { path: "^proto/src/model/" },
      { path: "^proto/src/wire/" },
    ),
    forbid(
      "product-not-tests",
      "what ships imports no test, fixture, benchmark or tool",
      { path: "^(kit|proto|agent|coordinator)/", pathNot: TEST },
      { path: TEST },
    ),
    forbid(
      "pure-imports-pure",
      "domain code computes: it imports the model, kit and other pure files (and types)",
      { path: [PURE_ROOM, PURE_FILE], pathNot: TEST },
      {
        pathNot: [PURE_ROOM, PURE_FILE, KEY_TABLE, "^kit/src/(?!drivers/)", PURE_CORE],
        couldNotResolve: false,
        dependencyTypesNot: ["type-only"],
      },
    ),
    forbid(
      "outside-in-drivers",
      "processes, files, network and databases are touched in drivers/, store/, jobs/, commands/ and main.ts only",
      { path: "^(kit|proto|agent|coordinator)/", pathNot: [TEST, MAY_TOUCH_OUTSIDE] },
      { path: [OUTSIDE_CORE, OUTSIDE_PACKAGE], dependencyTypesNot: ["type-only"] },
    ),
    forbid(
      "queries-stay-in-their-room",
      "another room calls the room's named functions, not its SQL",
      { path: "^((?:agent|coordinator)/src/[^/]+)/", pathNot: "^(test|bench)/" },
      { path: "/queries\\.ts$", pathNot: "^$1/" },
    ),
    forbid(
      "generated-stays-in-wire",
      "generated types stop in proto/src/wire",
      { pathNot: "^proto/src/wire/" },
      { path: "^proto/src/wire/gen/" },
    ),
    ...(FINDS_UNUSED ? [used] : []),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|data)/" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
