/** The API server answered and refused. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** The HTTP status. */
  readonly status: number;
  /** As `Conflict` or `Expired` (metav1.StatusReason); empty when none was given. */
  readonly reason: string;
  /** After how long the server wants to be asked again. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The API server was not reached, or its answer broke off. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}
