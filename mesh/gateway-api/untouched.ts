import type { HttpRoute } from '../model/virtual-service.ts';

/** A route that changes nothing of the request and limits nothing. */
export const UNTOUCHED: Omit<HttpRoute, 'name' | 'match' | 'action'> = Object.freeze({
  rewrite: undefined,
  timeoutMs: undefined,
  retries: undefined,
  fault: undefined,
  mirrors: [],
  cors: undefined,
  headers: undefined,
});
