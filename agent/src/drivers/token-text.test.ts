import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { readTokenText } from "./token-text.ts";

const TOKEN = "fbe1.SECRET.FINGERPRINT@host:7742";
const silent = Readable.from([]);
const read = ({ argument, file }: { argument?: string; file?: string }, input: Readable) =>
  readTokenText({ argument, file }, input);

test("a token is the argument, or what standard input or a file holds", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fb-token-"));
  try {
    const file = join(folder, "token");
    await writeFile(file, `\n${TOKEN}\r\n`);
    assert.equal(await read({ argument: TOKEN }, silent), TOKEN);
    assert.equal(await read({ argument: "-" }, Readable.from([`  ${TOKEN.slice(0, 9)}`, TOKEN.slice(9), "\n"])), TOKEN);
    assert.equal(await read({ file }, silent), TOKEN);
    assert.equal(await read({ file: "-" }, Readable.from([TOKEN])), TOKEN);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("no token, two, an empty one, a file that can't be read or is far too long: each is said with what to do", async () => {
  const refused = [
    read({}, silent),
    read({ argument: TOKEN, file: "/etc/token" }, silent),
    read({ argument: "-" }, Readable.from(["\n"])),
    read({ file: "/nonexistent/token" }, silent),
    read({ file: "/dev/zero" }, silent),
  ];
  for (const one of refused) await assert.rejects(one, { code: "no-token", hint: /enroll/ });
});
