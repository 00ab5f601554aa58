/** What is wrong with a file, for people: the system's error without its number, its call and the path once more. */

const TEXT_BY_CODE: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of its path is no folder",
  EISDIR: "is a folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOSPC: "the disk is full",
  EROFS: "the file system is read-only",
  ENXIO: "nobody listens there",
  ECONNREFUSED: "nobody listens there",
};

/** Whatever was thrown; an error that is not the system's says what it says. */
export function fileProblem(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const { code } = cause as NodeJS.ErrnoException;
  return TEXT_BY_CODE[code ?? ""] ?? cause.message;
}
