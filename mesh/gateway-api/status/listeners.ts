import type { ObjectRef } from '../../model/gateway-api.ts';
import { GATEWAY_API_GROUP } from '../../model/gateway-api-kinds.ts';
import { nameOf, routeKinds } from '../listener-references.ts';
import type { ListenerState } from '../listeners.ts';
import type { Reason } from '../reason.ts';
import { either, holds } from './condition.ts';
import type { Attached } from './routes.ts';
import type { ListenerStatus } from './status.ts';

/** What is known of a Secret; never what it holds. `unknown` where Secrets are not to be seen. */
export type SecretState = 'usable' | 'malformed' | 'missing' | 'unknown';
export type Secrets = (namespace: string, name: string) => SecretState;

export interface JudgedListener {
  readonly status: ListenerStatus;
  readonly accepted: boolean;
  readonly programmed: boolean;
  readonly problems: readonly (Reason & { readonly condition: string })[];
}

function refusal({ listener, conflict, refused }: ListenerState): Reason | undefined {
  if (conflict !== undefined)
    return {
      reason: conflict,
      message:
        conflict === 'HostnameConflict'
          ? `another listener of port ${listener.port} is for the same host`
          : `port ${listener.port} is opened for another protocol`,
    };
  if (listener.protocol === 'other') return { reason: 'UnsupportedProtocol', message: 'HTTP, HTTPS, TLS and TCP are served' };
  return refused;
}

function badSecret(secrets: Secrets, ref: ObjectRef): readonly Reason[] {
  const state = ref.kind === 'Secret' ? secrets(ref.namespace, ref.name) : 'unknown';
  switch (state) {
    case 'usable':
    case 'unknown':
      return [];
    case 'missing':
      return [{ reason: 'InvalidCertificateRef', message: `there is no ${nameOf(ref)}` }];
    case 'malformed':
      return [{ reason: 'InvalidCertificateRef', message: `${nameOf(ref)} holds no certificate with its key` }];
    default:
      return state satisfies never;
  }
}

/** @param pending why the Gateway itself does not listen yet */
export function judged(state: ListenerState, secrets: Secrets, attached: Attached, pending: Reason | undefined): JudgedListener {
  const { listener, unresolved, conflict, tls } = state;
  const { kinds, invalid } = routeKinds(listener);
  const refused = refusal(state);
  const bad = listener.certificates.flatMap((ref) => badSecret(secrets, ref));
  const problems: Reason[] = [
    ...(invalid.length > 0 && listener.protocol !== 'other'
      ? [{ reason: 'InvalidRouteKinds', message: `${invalid.join(', ')} can not be routed at ${listener.protocol}` }]
      : []),
    ...unresolved,
    ...(unresolved.length === 0 ? bad : []),
  ];
  const [first] = problems;
  const closed = tls.kind === 'unavailable' || bad.length > 0 || kinds.length === 0;
  const stopped =
    conflict !== undefined
      ? refused
      : refused !== undefined || closed
        ? { reason: 'Invalid', message: 'it is not opened' }
        : pending;
  return {
    status: {
      name: listener.name,
      supportedKinds: kinds.map((kind) => ({ group: GATEWAY_API_GROUP, kind })),
      attachedRoutes: new Set(attached.get(state)).size,
      conditions: [
        either('Accepted', refused, 'the listener can be served'),
        conflict === undefined
          ? { type: 'Conflicted', status: 'False', reason: 'NoConflicts', message: 'no other listener is in its way' }
          : holds('Conflicted', refused?.message ?? '', conflict),
        either('ResolvedRefs', first, 'all that it names is there'),
        either('Programmed', stopped, 'the listener is served'),
      ],
    },
    accepted: refused === undefined,
    programmed: stopped === undefined,
    problems: [
      ...(refused === undefined ? [] : [{ condition: conflict === undefined ? 'Accepted' : 'Conflicted', ...refused }]),
      ...problems.map((one) => ({ condition: 'ResolvedRefs', ...one })),
    ],
  };
}
