import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "@fleetban/kit/config";
import { acceptsGzip, matchesTag, tagOf } from "./accepts.ts";
import { checkPublishConfig, PUBLISH_CONFIG } from "./publish-config.ts";

test("plain HTTP is for loopback, unless it is asked for in so many words", () => {
  const check = (text: string) => checkPublishConfig(readConfig(text, "c.yaml", PUBLISH_CONFIG), "c.yaml");
  assert.doesNotThrow(() => check("publish: { port: 7745 }"));
  assert.doesNotThrow(() => check("publish: { port: 7745, tls: off, host: 127.0.0.1 }"));
  assert.doesNotThrow(() => check("publish: { tls: off, plain_http_anywhere: true }"));
  assert.throws(() => check("publish: { tls: off }"), {
    message:
      "c.yaml: publish.tls is off and publish.host is *; set publish.host to 127.0.0.1, or publish.plain_http_anywhere to true if the network is safe",
  });
  assert.throws(() => check("publish: { tls: files, key_file: /k.pem }"), /name both publish.certificate_file and/);
});

test("an answer is packed for whoever accepts gzip", () => {
  const accepted = ["gzip", "deflate, gzip;q=1.0, *;q=0.5", "*", "GZIP"];
  const refused = [undefined, "", "identity", "br", "gzip;q=0", "*;q=0", "gzip; q=0, *"];
  for (const header of accepted) assert.equal(acceptsGzip(header), true, header);
  for (const header of refused) assert.equal(acceptsGzip(header), false, header);
});

test("a tag matches packed or not, weak or not, in a list or as a star", () => {
  const sha256 = "ab".repeat(32);
  for (const header of [
    tagOf(sha256, false),
    tagOf(sha256, true),
    `W/${tagOf(sha256, false)}`,
    `"x", ${tagOf(sha256, true)}`,
    "*",
  ]) {
    assert.equal(matchesTag(header, sha256), true, header);
  }
  assert.equal(matchesTag('"x"', sha256), false);
  assert.equal(matchesTag(undefined, sha256), false);
});
