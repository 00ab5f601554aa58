/** Program version, in Hello, status and `--version`. The build puts that of package.json in its place. */
export const VERSION = process.env.FLEETBAN_VERSION ?? "0.0.0-unbuilt";
