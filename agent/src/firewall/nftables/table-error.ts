/** What the kernel's error numbers mean to us. */
import type { Op, Refusal, RefusalCode, SetName } from "../backend.ts";
import { BackendError, type BackendErrorCode, remedyFor } from "../backend-error.ts";
import { ERRNO } from "./protocol.ts";

const CODE_BY_ERRNO: ReadonlyMap<number, BackendErrorCode> = new Map([
  [ERRNO.notPermitted, "no-permission"],
  [ERRNO.absent, "set-missing"],
  [ERRNO.noRoom, "set-full"],
  [ERRNO.busy, "set-in-use"],
  [ERRNO.invalid, "nftables-missing"], // nfnetlink without nf_tables answers this to anything
  [ERRNO.notSupported, "nftables-missing"],
]);

const TEXT_BY_ERRNO: ReadonlyMap<number, string> = new Map([
  [ERRNO.notPermitted, "operation not permitted"],
  [ERRNO.absent, "no such set"],
  [ERRNO.noRoom, "the set is full"],
  [ERRNO.busy, "a rule names the set"],
  [ERRNO.invalid, "the kernel does not know this request"],
  [ERRNO.notSupported, "not supported by this kernel"],
  [12, "out of memory"],
]);

/** An error about a whole request. */
export function tableError(act: string, errno: number): BackendError {
  const code = CODE_BY_ERRNO.get(errno) ?? "kernel-refused";
  return new BackendError(code, `${act}: ${detailOf(errno)}`, remedyFor(code));
}

export function missingSet(act: string, name: SetName): BackendError {
  return new BackendError("set-missing", `${act} ${name}: no such set`, remedyFor("set-missing"));
}

/** One op that the kernel did not take. */
export function refusalOf(op: Op, errno: number): Refusal {
  return { op, code: refusalCode(CODE_BY_ERRNO.get(errno)), detail: detailOf(errno) };
}

function refusalCode(code: BackendErrorCode | undefined): RefusalCode {
  return code === "set-full" || code === "set-missing" || code === "no-permission" ? code : "kernel-refused";
}

function detailOf(errno: number): string {
  const text = TEXT_BY_ERRNO.get(errno);
  return text === undefined ? `kernel error ${errno}` : `${text} (kernel error ${errno})`;
}
