import type { RolloutObject } from '../../policy/rollout/objects.ts';
import type { Json } from '../api/json.ts';

type StageKind = RolloutObject['kind'];

/** An object of a stage, or in the place of one, as it stands in the cluster. */
export interface Listed {
  readonly kind: StageKind;
  readonly json: Json;
}

export const SECURITY_VERSION = 'v1';

const PLURALS: Readonly<Record<StageKind, string>> = Object.freeze({
  PeerAuthentication: 'peerauthentications',
  AuthorizationPolicy: 'authorizationpolicies',
});
export const KINDS: readonly StageKind[] = ['PeerAuthentication', 'AuthorizationPolicy'];

/** Of all namespaces. */
export function folderOf(kind: StageKind): string {
  return `/apis/security.istio.io/${SECURITY_VERSION}/${PLURALS[kind]}`;
}

export function pathOf(kind: StageKind, namespace: string, name?: string): string {
  const folder = `/apis/security.istio.io/${SECURITY_VERSION}/namespaces/${encodeURIComponent(namespace)}/${PLURALS[kind]}`;
  return name === undefined ? folder : `${folder}/${encodeURIComponent(name)}`;
}
