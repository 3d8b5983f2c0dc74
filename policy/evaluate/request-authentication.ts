import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { SelectedWorkload } from '../select.ts';
import type { Request, Token } from './request.ts';

/** What became of the tokens that a request carries. */
export type TokenStep =
  | { readonly kind: 'passed'; readonly token: Token | undefined; readonly why: string }
  /** `by` is `namespace/name` of the RequestAuthentication. */
  | { readonly kind: 'refused'; readonly by: string | undefined; readonly why: string };

export type Authenticate = (request: Request) => TokenStep;

/** Verifies tokens as a workload's RequestAuthentications ask. One that a request states is taken for verified. */
export function requestAuthentication(_snapshot: Snapshot, _workload: SelectedWorkload): Authenticate {
  return ({ token }) => ({ kind: 'passed', token, why: token === undefined ? 'no token' : 'the token is taken for verified' });
}
