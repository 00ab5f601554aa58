/** A share of one processor core for some processes: a cgroup of the first or the second version, whichever has `cpu`. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../test/support/fleet/eventually.ts";

export interface CpuLimit extends AsyncDisposable {
  /** With all of its threads. */
  add(pid: number): void;
  /** Back to where it has no limit of ours. */
  release(pid: number): void;
}

/** The kernel's default: what is used up comes back at the next one. */
const PERIOD_US = 100_000;
const MOUNT = /^\S+ (?<folder>\S+) (?<type>cgroup2?) (?<options>\S+)/;

export function limitCpu(name: string, share: number): CpuLimit {
  const { root, version } = findRoot();
  const folder = join(root, `fb-${process.pid}-${name}`);
  mkdirSync(folder);
  const quotaUs = Math.round(PERIOD_US * share);
  if (version === 2) {
    writeFileSync(join(folder, "cpu.max"), `${quotaUs} ${PERIOD_US}`);
  } else {
    writeFileSync(join(folder, "cpu.cfs_period_us"), String(PERIOD_US));
    writeFileSync(join(folder, "cpu.cfs_quota_us"), String(quotaUs));
  }
  const members = join(folder, "cgroup.procs");
  const release = (pid: number) => writeFileSync(join(root, "cgroup.procs"), String(pid));
  return {
    add: (pid) => writeFileSync(members, String(pid)),
    release,
    async [Symbol.asyncDispose]() {
      for (const pid of readFileSync(members, "utf8").split("\n").filter(Boolean)) {
        if (existsSync(`/proc/${pid}`)) release(Number(pid));
      }
      await eventually(`${folder} is removed`, () => {
        rmdirSync(folder); // what ended in it leaves it a moment later
        return true;
      });
    },
  };
}

function findRoot(): { readonly root: string; readonly version: 1 | 2 } {
  for (const line of readFileSync("/proc/mounts", "utf8").split("\n")) {
    const { folder = "", type, options = "" } = MOUNT.exec(line)?.groups ?? {};
    if (type === "cgroup" && options.split(",").includes("cpu")) return { root: folder, version: 1 };
    if (type !== "cgroup2" || !words(join(folder, "cgroup.controllers")).includes("cpu")) continue;
    if (!words(join(folder, "cgroup.subtree_control")).includes("cpu")) {
      writeFileSync(join(folder, "cgroup.subtree_control"), "+cpu");
    }
    return { root: folder, version: 2 };
  }
  throw new Error("no cgroup controller cpu here; mount one, such as: mount -t cgroup -o cpu cpu /sys/fs/cgroup/cpu");
}

function words(file: string): readonly string[] {
  return readFileSync(file, "utf8").trim().split(/\s+/);
}
