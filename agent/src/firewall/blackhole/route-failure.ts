/** What the kernel's refusal of a route or rule means. */
import { BackendError, type BackendErrorCode, remedyFor } from "../backend-error.ts";
import { ERRNO } from "./protocol.ts";

export function codeOfErrno(errno: number): Extract<BackendErrorCode, "no-permission" | "kernel-refused"> {
  return errno === ERRNO.permission ? "no-permission" : "kernel-refused";
}

export function routeError(what: string, errno: number): BackendError {
  const code = codeOfErrno(errno);
  return new BackendError(code, `${what}: the kernel refuses it with error ${errno}`, remedyFor(code));
}
