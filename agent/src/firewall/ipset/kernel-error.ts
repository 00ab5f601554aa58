/** What the kernel's error numbers mean to us. */

import type { Refusal, RefusalCode, SetName } from "../backend.ts";
import { BackendError, type BackendErrorCode, remedyFor } from "../backend-error.ts";

const EPERM = 1;
const ENOENT = 2;
const EBUSY = 16;
const EEXIST = 17;
const EINVAL = 22;
const UNKNOWN_TYPE = 4098; // also: a revision that this kernel doesn't have
const IN_USE = 4100;
const OTHER_SET_MISSING = 4101;
const NOT_IN_SET = 4103;
const SET_FULL = 4352;

const CODE_BY_ERRNO: ReadonlyMap<number, BackendErrorCode> = new Map([
  [EPERM, "no-permission"],
  [ENOENT, "set-missing"],
  [OTHER_SET_MISSING, "set-missing"],
  [SET_FULL, "set-full"],
  [EBUSY, "set-in-use"],
  [IN_USE, "set-in-use"],
  [EINVAL, "kernel-sets-missing"], // nfnetlink without ip_set's part answers this to anything
  [UNKNOWN_TYPE, "kernel-sets-missing"],
]);

const TEXT_BY_ERRNO: ReadonlyMap<number, string> = new Map([
  [EPERM, "operation not permitted"],
  [ENOENT, "no such set"],
  [OTHER_SET_MISSING, "no such set"],
  [EBUSY, "another program is reading the set"],
  [EEXIST, "the set exists"],
  [IN_USE, "a rule names the set"],
  [EINVAL, "the kernel has no ip_set"],
  [UNKNOWN_TYPE, "the kernel has no hash:net"],
  [SET_FULL, "the set is full"],
  [4097, "malformed request"],
  [4104, "prefix length out of range"],
  [4107, "the set has no timeouts"],
  [4109, "not an IPv4 address"],
  [4110, "not an IPv6 address"],
]);

export const ERRNO = {
  setExists: EEXIST,
  setMissing: ENOENT,
  unknownType: UNKNOWN_TYPE,
  notInSet: NOT_IN_SET,
} as const;

/** An error about a whole request. */
export function kernelError(act: string, name: SetName | undefined, errno: number): BackendError {
  const code = CODE_BY_ERRNO.get(errno) ?? "kernel-refused";
  const subject = name === undefined ? act : `${act} ${name}`;
  return new BackendError(code, `${subject}: ${detailOf(errno)}`, remedyFor(code));
}

/** Why the kernel did not take an entry. */
export function refusalFor(errno: number): Omit<Refusal, "op"> {
  return { code: refusalCode(CODE_BY_ERRNO.get(errno)), detail: detailOf(errno) };
}

function refusalCode(code: BackendErrorCode | undefined): RefusalCode {
  return code === "set-full" || code === "set-missing" || code === "no-permission" ? code : "kernel-refused";
}

function detailOf(errno: number): string {
  const text = TEXT_BY_ERRNO.get(errno);
  return text === undefined ? `kernel error ${errno}` : `${text} (kernel error ${errno})`;
}
