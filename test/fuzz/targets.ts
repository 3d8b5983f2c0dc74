import type { TargetMaker } from './target.ts';
import { clientChainTarget } from './targets/client-chain.ts';
import { http2ConnectionTarget } from './targets/http2-connection.ts';
import { http2FirstCallTarget } from './targets/http2-first-call.ts';
import { joinTokenTarget } from './targets/join-token.ts';
import { requestTarget } from './targets/request.ts';
import { tokenTarget } from './targets/token.ts';

/** Every parser of untrusted input that the authority has. */
export const TARGETS: readonly TargetMaker[] = Object.freeze([
  { name: 'request', open: requestTarget },
  { name: 'token', open: tokenTarget },
  { name: 'join-token', open: joinTokenTarget },
  { name: 'client-chain', open: clientChainTarget },
  { name: 'http2-connection', open: http2ConnectionTarget },
  { name: 'http2-first-call', open: http2FirstCallTarget },
]);
