import type { TargetMaker } from './target.ts';
import { clientChainTarget } from './targets/client-chain.ts';
import { joinTokenTarget } from './targets/join-token.ts';
import { requestTarget } from './targets/request.ts';
import { tokenTarget } from './targets/token.ts';

/** Every parser of untrusted input that the authority has. */
export const TARGETS: readonly TargetMaker[] = Object.freeze([
  { name: 'request', open: requestTarget },
  { name: 'token', open: tokenTarget },
  { name: 'join-token', open: joinTokenTarget },
  { name: 'client-chain', open: clientChainTarget },
]);
