/** Text as a person copies it into a shell. */
import { relative } from "node:path";
import { ROOT } from "../tool.ts";

const PLAIN = /^[\w./@%+=:,-]+$/;

export function quoted(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Short where it lies in the checkout, from which commands are typed. */
export function pathFromRoot(path: string): string {
  const short = relative(ROOT, path);
  return short.startsWith("..") ? path : `./${short}`;
}
