import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { createCertificateRequest } from "./certificate-request.ts";

test("a request holds the public half of its key and is signed with the private one", async () => {
  const { csr, keyPem } = await createCertificateRequest();
  const publicKey = createPublicKey(keyPem);
  const spki = publicKey.export({ type: "spki", format: "der" });
  // SEQUENCE { info SEQUENCE, algorithm, signature BIT STRING }: all lengths in one byte but the outermost's.
  const outerHeader = csr[1] === 0x81 ? 3 : 4;
  const infoHeader = csr[outerHeader + 1] === 0x81 ? 3 : 2;
  const infoLength = infoHeader + csr[outerHeader + infoHeader - 1]!;
  const info = csr.subarray(outerHeader, outerHeader + infoLength);
  const signature = csr.subarray(outerHeader + infoLength + 12 + 3);
  assert.ok(info.includes(spki));
  assert.ok(verify("sha256", info, { key: publicKey, dsaEncoding: "der" }, signature));
});

test("two requests have two keys", async () => {
  const [one, other] = [await createCertificateRequest(), await createCertificateRequest()];
  assert.notEqual(one.keyPem, other.keyPem);
});
