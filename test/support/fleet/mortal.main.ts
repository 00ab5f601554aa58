/**
 * Runs one of our programs with a driver exchanged for one that ends the process by SIGKILL at a point of its work:
 * `node mortal.main.ts POINT MAIN_FILE ARGUMENT…`. The program itself is the one that ships and knows nothing of it.
 */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { choosePoint } from "./mortal/point.ts";

const STAND_INS: Readonly<Record<string, string>> = {
  "/agent/src/drivers/spool-files.ts": "spool-files.ts",
  "/agent/src/drivers/source-files.ts": "source-files.ts",
  "/agent/src/drivers/netlink.ts": "netlink.ts",
  "/agent/src/drivers/data-files.ts": "data-files.ts",
  "/agent/src/drivers/grpc-dial.ts": "grpc-dial.ts",
  "/coordinator/src/ledger/open-ledger.ts": "open-ledger.ts",
};
const FOLDER = new URL("./mortal/", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const [, standIn] = Object.entries(STAND_INS).find(([path]) => resolved.url.endsWith(path)) ?? [];
    const isAskedByIt = context.parentURL?.startsWith(FOLDER) === true; // which is given the real one
    return standIn === undefined || isAskedByIt ? resolved : { ...resolved, url: `${FOLDER}${standIn}` };
  },
});

const [point = "", main = ""] = process.argv.splice(2, 2);
process.argv[1] = main;
choosePoint(point);
await import(pathToFileURL(main).href);
