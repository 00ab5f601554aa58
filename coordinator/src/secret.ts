/** A secret of the configuration: in its place, or in a file of its own, so that the configuration can be shown to anybody. */
import { FleetbanError } from "@fleetban/kit/errors";
import { fileProblem } from "@fleetban/kit/file-problem";

/** Reads a file that a key names; rejects with the system's error. */
export type ReadFile = (path: string) => Promise<string>;

export interface SecretPlace {
  readonly key: string;
  readonly value: string | undefined;
  readonly fileKey: string;
  readonly path: string | undefined;
}

/** Undefined = given in neither place; throws where both are, or the file can't be read or is empty. */
export async function secretFrom(
  { key, value, fileKey, path }: SecretPlace,
  { file, readFile }: { readonly file: string; readonly readFile: ReadFile },
): Promise<string | undefined> {
  if (path === undefined) return value;
  if (value !== undefined) {
    throw new FleetbanError("bad-config", `${file}: ${key} and ${fileKey} are both given; remove one of them`);
  }
  try {
    const secret = (await readFile(path)).trim();
    if (secret !== "") return secret;
  } catch (cause) {
    const what = `${file}: ${fileKey} is ${JSON.stringify(path)}: cannot be read: ${fileProblem(cause)}`;
    const message = `${what}; look at its path and owner`;
    throw new FleetbanError("bad-config", message, { cause });
  }
  throw new FleetbanError(
    "bad-config",
    `${file}: ${fileKey} is ${JSON.stringify(path)}: is empty; put the secret into it`,
  );
}
