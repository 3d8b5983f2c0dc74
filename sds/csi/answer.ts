import { status } from '@grpc/grpc-js';

/** Why a call of the kubelet is answered with an error. It repeats the call, and shows the reason in the pod's events. */
export class CsiRefusal extends Error {
  readonly code: status;

  constructor(code: status, reason: string) {
    super(reason);
    this.code = code;
  }
}

export function invalid(reason: string): CsiRefusal {
  return new CsiRefusal(status.INVALID_ARGUMENT, reason);
}
