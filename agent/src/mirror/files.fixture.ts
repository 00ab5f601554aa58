/** Files in memory that can be full: whatever is written beyond `roomBytes` is torn where the room ends, and throws. */
import type { Files } from "./files.ts";

export interface MemoryFiles extends Files {
  readonly contents: Map<string, Buffer>;
  roomBytes: number;
}

export function memoryFiles(contents = new Map<string, Buffer>()): MemoryFiles {
  /** An open file follows its renaming; one that was replaced or removed is written to by nobody else's name. */
  const handles = new Set<{ path: string | undefined }>();
  const move = (from: string, to: string | undefined) => {
    for (const handle of handles) if (handle.path === to) handle.path = undefined;
    for (const handle of handles) if (handle.path === from) handle.path = to;
  };
  const files: MemoryFiles = {
    contents,
    roomBytes: Number.POSITIVE_INFINITY,
    names: async (folder) =>
      [...contents.keys()].filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1)),
    read: async (path) => contents.get(path),
    async writeWhole(path, pieces) {
      const gathered: Uint8Array[] = [];
      for await (const piece of pieces) gathered.push(piece);
      const whole = Buffer.concat(gathered);
      if (whole.length > files.roomBytes) throw noSpace();
      files.roomBytes -= whole.length;
      contents.set(path, whole);
    },
    async openAppend(path) {
      if (!contents.has(path)) contents.set(path, Buffer.alloc(0));
      const handle: { path: string | undefined } = { path };
      handles.add(handle);
      return {
        async append(bytes) {
          const fits = bytes.subarray(0, Math.max(0, files.roomBytes));
          files.roomBytes -= fits.length;
          const at = handle.path;
          if (at !== undefined) contents.set(at, Buffer.concat([contents.get(at) ?? Buffer.alloc(0), fits]));
          if (fits.length < bytes.length) throw noSpace();
        },
        close: async () => void handles.delete(handle),
      };
    },
    async rename(from, to) {
      const moved = contents.get(from);
      if (moved === undefined) throw new Error(`ENOENT: ${from}`);
      move(from, to);
      contents.delete(from);
      contents.set(to, moved);
    },
    async remove(path) {
      move(path, undefined);
      contents.delete(path);
    },
  };
  return files;
}

function noSpace(): Error {
  return Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
}
